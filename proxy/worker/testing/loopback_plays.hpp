// What scripted peers send each other through the proxy, as plaintext; which legs have TLS is decided elsewhere.
#pragma once

#include <string>
#include <vector>

#include "proxy/worker/testing/loopback.hpp"

namespace baton::proxy {

// Text in which every part is different.
std::string numbered(std::size_t bytes);
// With a Date, since the proxy would otherwise add the current one.
inline const std::string ok = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
std::string request(const std::string& line, const std::string& fields = "");
std::string response(const std::string& body, const std::string& fields = "");

// Plays of every kind, with bodies of about this many bytes.
std::vector<Play> plays(std::size_t body_bytes);
// Plays whose bodies and tunnels may pass unseen, where there is ample room.
std::vector<Play> bulky_plays(std::size_t body_bytes);

}  // namespace baton::proxy
