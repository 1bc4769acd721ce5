// Whatever a server sends, the connection to it stays within its bounds, and goes on as if it had never moved. The
// input is pieces with a byte of length before each (127: all that is left; 126, 125, 124: the next request instead, by
// GET, HEAD, or POST with content); with the highest bit, the connection then moves.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "proxy/http2/testing/client_conversation.hpp"

namespace {

using baton::http2::ClientConversation;

bool take(ClientConversation& one, unsigned length, std::string_view piece) {
  constexpr std::size_t content = 100'000;  // more than the window that a stream begins with
  if (length != 126 && length != 125 && length != 124) return one.take(piece);
  one.ask(length == 124 ? content : 0, length == 125);
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace baton::http2;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  Twins<ClientConversation> twins;
  twins.both([](ClientConversation& one) {
    one.terms.list_bytes = 4096;
    one.ask();
    return true;
  });
  while (!input.empty()) {
    const auto first = static_cast<unsigned char>(input.front());
    const unsigned length = first & 0x7fU;
    input.remove_prefix(1);
    const std::string_view piece = input.substr(0, length == 127 ? input.size() : length > 123 ? 0 : length);
    input.remove_prefix(piece.size());
    const bool goes_on = twins.both([&](ClientConversation& one) { return take(one, length, piece); });
    if ((first & 0x80) != 0) twins.moves.move();
    const Terms& terms = twins.stays.terms;
    const std::size_t most = terms.connection_window + ClientConversation::streams_max * 2 * (terms.list_bytes + 300) +
                             4 * terms.list_bytes + 3 * frame_bytes_max;
    if (twins.stays.bytes_held() > most) std::abort();
    if (!goes_on) break;
  }
  if (!twins.are_alike() || twins.stays.got() != twins.moves.got()) std::abort();
  return 0;
}
