// What becomes of a request before it goes to a server, and instead of it: compiled from config/gate.hpp.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "proxy/routing/access.hpp"
#include "proxy/routing/passwords.hpp"
#include "proxy/routing/rate_limit.hpp"
#include "proxy/state/shared_text.hpp"

namespace baton::routing {

// A response of our own, prepared.
struct Answer {
  std::uint16_t status = 200;
  std::string fields{};  // whole lines
  std::string content_type = "text/plain";
  state::SharedText body{};  // null: the error page of the status, or a line that names it
};

// The files that answers consist of, and those of passwords, by path.
struct Files {
  std::map<std::string, state::SharedText, std::less<>> contents{};
  std::map<std::string, std::shared_ptr<const Passwords>, std::less<>> passwords{};
};

// What a route says; routes that say nothing have none.
struct Gate {
  Access access;
  RateLimits rates;
  std::shared_ptr<const Passwords> passwords{};  // nullptr: none is asked for
  Answer challenge{};                            // to a client without a good one
  std::optional<Answer> answer;                  // instead of a server's
  std::optional<config::Template> location;      // with `answer`: its Location, which depends on the request

  bool admits(const state::SocketAddress& client) const { return access.admits(client); }
};

// nullptr: the configuration says nothing. A file that `files` lacks is empty.
std::shared_ptr<const Gate> make_gate(const config::Gate& gate, const Files& files, RateLimits rates = {});

// While maintenance is switched on.
struct Maintenance {
  AddressSet allow{};  // these clients are served as usual
  Answer answer{.status = 503};
};
Maintenance make_maintenance(const config::Maintenance& maintenance, const Files& files);

using ErrorPages = std::map<std::uint16_t, Answer>;
ErrorPages make_error_pages(const config::Config& config, const Files& files);

// The files that the configuration names for its answers, and those of passwords.
std::vector<config::File> files_of_answers(const config::Config& config);
std::vector<config::File> files_of_passwords(const config::Config& config);

// By the extension; "application/octet-stream" if that is unknown.
std::string_view media_type_of(std::string_view path);

}  // namespace baton::routing
