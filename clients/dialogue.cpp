#include "clients/dialogue.hpp"

#include <fmt/format.h>

namespace baton::clients {

std::string request_target(unsigned client, std::uint64_t serial) {
  return fmt::format("/client/{}/request/{}", client, serial);
}

std::string expected_body(std::string_view target) {
  std::uint32_t hash = 2166136261u;  // FNV-1a: the same in every build
  for (const char byte : target) hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619u;
  const unsigned lines = 1 + hash % 48;

  std::string body;
  for (unsigned line = 1; line <= lines; ++line) {
    body += fmt::format("line {} of {} for {}\n", line, lines, target);
  }
  return body;
}

std::string expected_event(std::string_view target, std::uint64_t serial) {
  return fmt::format("id: {}\nevent: beat\ndata: this is event {} of {}\n\n", serial, serial, target);
}

std::string request_head(std::string_view target, std::string_view host, std::string_view method,
                         std::string_view fields) {
  return fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: baton-demo\r\nAccept: */*\r\n{}\r\n", method, target,
                     host, fields);
}

}  // namespace baton::clients
