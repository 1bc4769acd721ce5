// Any bytes: a verdict never changes as more arrives, and a whole header ends where it says.
#include <cstdint>
#include <cstdlib>

#include "proxy/arrival/proxy_header.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using Found = baton::arrival::ProxyHeader::Found;
  const std::string_view received(reinterpret_cast<const char*>(data), size);
  const auto all = baton::arrival::find_proxy_header(received);
  if (all.found == Found::whole && (all.bytes == 0 || all.bytes > received.size())) std::abort();
  if (all.found == Found::whole && all.names_client) {
    const auto again = baton::arrival::find_proxy_header(
        baton::arrival::make_proxy_header(baton::arrival::ProxyVersion::v2, all.client, all.server, all.fields));
    if (again.found != Found::whole || (again.names_client && again.fields != all.fields)) std::abort();
  }
  for (std::size_t part = 0; part < received.size(); ++part) {
    const auto some = baton::arrival::find_proxy_header(received.substr(0, part));
    if (some.found == Found::incomplete) continue;
    if (some.found != all.found || some.bytes != all.bytes) std::abort();
    break;
  }
  return 0;
}
