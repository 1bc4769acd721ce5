// What the page's server does with a request. Pure, so that every refusal can be tested.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace baton::demo {

// What matters of a request; a field that is missing is empty.
struct PageRequest {
  std::string_view method;
  std::string_view target;
  std::string_view host;
  std::string_view origin;
  std::string_view fetch_site;  // Sec-Fetch-Site
};

enum class Asked : std::uint8_t {
  page,             // GET /
  serving,          // GET /page/serving: an empty answer, whose fields name the version
  download,         // GET /page/download
  ticks,            // GET /page/ticks, a WebSocket
  upgrade,          // POST /page/upgrade
  failing_upgrade,  // POST /page/failing-upgrade
  dropped,          // POST /page/dropped: the page has lost something, which the body names
  not_found,
  wrong_method,
  foreign,  // another site's page asks
};

// A site that a browser shows beside ours must not press our buttons. So a POST needs an Origin that is the Host, and a
// Host that is an address or localhost: a name might be that site's, and lead here (DNS rebinding). A WebSocket of
// another origin is refused, too.
Asked judge(const PageRequest& request);

// The download from line `first` on. Each line is `download_line_bytes` long and is its own number, from 0.
inline constexpr std::size_t download_line_bytes = 16;
std::string download_lines(std::uint64_t first, std::uint64_t count);

}  // namespace baton::demo
