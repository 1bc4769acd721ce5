// What a request says about the server that it should go to, and the cookie that keeps its client there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/http1/head.hpp"
#include "proxy/upstream/pool.hpp"

namespace baton::proxy {

// `head`: nullptr for a tunnel, whose client alone is known. `client`: its address without the port.
upstream::Affinity affinity_of(const upstream::Upstream& upstream, const http1::RequestHead* head,
                               std::string_view client);

// The value of a Set-Cookie for a client of this server.
std::string sticky_cookie(const config::Sticky& sticky, std::uint64_t tag, bool client_has_tls);

// The first cookie of that name in any Cookie field; without quotes or blanks around it. Empty: there is none.
std::string_view cookie_in(const http1::RequestHead& head, std::string_view name);

}  // namespace baton::proxy
