// Whatever a client sends, the connection stays within its bounds, and goes on as if it had never moved. The input is
// pieces with a byte of length before each (255: all that is left); with the highest bit, the connection then moves.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "proxy/http2/testing/conversation.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace baton::http2;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  Twins<Conversation> twins;
  twins.both([](Conversation& one) {
    one.terms.list_bytes = 4096;
    return one.take(preface);
  });
  while (!input.empty()) {
    const auto length = static_cast<unsigned char>(input.front());
    input.remove_prefix(1);
    const std::string_view piece = input.substr(0, length == 255 ? input.size() : length & 0x7f);
    input.remove_prefix(piece.size());
    const bool goes_on = twins.both([&](Conversation& one) { return one.take(piece); });
    if ((length & 0x80) != 0) twins.moves.move();
    const Terms& terms = twins.stays.terms;
    const std::size_t most = terms.connection_window + terms.streams_max * (terms.list_bytes + 300) +
                             4 * terms.list_bytes + 3 * frame_bytes_max;
    if (twins.stays.bytes_held() > most) std::abort();
    if (!goes_on) break;
  }
  if (!twins.are_alike()) std::abort();
  return 0;
}
