// One request to an admin interface, whose address may have no server, something other than Baton, or a hostile one.
// Every wait and every length is bounded.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace baton::ctl {

struct Request {
  std::string method = "GET";
  std::string target = "/";
  std::string body = {};
  const char* content_type = "application/json";  // of the body
  std::string token = {};                         // sent over TCP only; empty: none
  std::uint64_t answer_bytes_max = 1024 * 1024;
  // For the whole exchange; for lines, between one byte and the next.
  std::chrono::milliseconds patience{10'000};
  // Called once, if nothing has come for this long.
  std::chrono::milliseconds silence{0};
  std::function<void()> on_silence = {};
  // If it is not -1: `on_wake` is called before each wait for the answer, and when this can be read. False ends the
  // exchange.
  int wake_fd = -1;
  std::function<bool()> on_wake = {};
  // Gets each line of a 200's body as it arrives, without its line end.
  std::function<void(std::string_view line)> on_line = {};
};

struct Answer {
  unsigned status = 0;
  std::string content_type;
  std::string body;  // empty if `on_line` took the lines
};

// Why there is no complete answer.
struct NoAnswer {
  std::string text;      // for people
  bool asked = false;    // the request may have been carried out
};

std::expected<Answer, NoAnswer> ask(const config::Address& address, const Request& request);

}  // namespace baton::ctl
