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
  Conversation stays;
  Conversation moves;
  for (Conversation* const one : {&stays, &moves}) {
    one->terms.list_bytes = 4096;
    one->take(preface);
  }
  while (!input.empty()) {
    const auto length = static_cast<unsigned char>(input.front());
    input.remove_prefix(1);
    const std::string_view piece = input.substr(0, length == 255 ? input.size() : length & 0x7f);
    input.remove_prefix(piece.size());
    const bool goes_on = stays.take(piece);
    if (moves.take(piece) != goes_on) std::abort();
    if ((length & 0x80) != 0) moves.move();
    const std::size_t most = stays.terms.connection_window + stays.terms.streams_max * (stays.terms.list_bytes + 300) +
                             4 * stays.terms.list_bytes + 3 * frame_bytes_max;
    if (stays.bytes_held() > most) std::abort();
    if (!goes_on) break;
  }
  if (stays.sent() != moves.sent() || stays.state() != moves.state()) std::abort();
  return 0;
}
