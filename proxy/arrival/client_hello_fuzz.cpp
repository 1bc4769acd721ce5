// Any bytes: a verdict never changes as more arrives.
#include <cstdint>
#include <cstdlib>

#include "proxy/arrival/client_hello.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using Found = baton::arrival::ClientHello::Found;
  const std::string_view received(reinterpret_cast<const char*>(data), size);
  const auto all = baton::arrival::find_client_hello(received);
  for (std::size_t part = 0; part < received.size(); ++part) {
    const auto some = baton::arrival::find_client_hello(received.substr(0, part));
    if (some.found == Found::incomplete) continue;
    if (some.found != all.found || some.server_name != all.server_name || some.alpn != all.alpn) std::abort();
    break;
  }
  return 0;
}
