// What scripted peers say to each other through the proxy, in plain words; which legs have TLS is another matter.
#pragma once

#include <string>
#include <vector>

#include "proxy/worker/testing/loopback.hpp"

namespace baton::proxy {

// Text in which every part is another.
std::string numbered(std::size_t bytes);
// With a date, for the proxy would add that of the moment.
inline const std::string ok = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
std::string request(const std::string& line, const std::string& fields = "");
std::string response(const std::string& body, const std::string& fields = "");

// Of every kind, with bodies of about so many bytes.
std::vector<Play> plays(std::size_t body_bytes);

}  // namespace baton::proxy
