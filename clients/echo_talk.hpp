// A conversation with an echo. Messages are sent at an even pace without waiting for answers, so some are always in
// flight; each must come back byte for byte and in order.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "clients/content.hpp"

namespace baton::clients {

class EchoTalk {
 public:
  explicit EchoTalk(std::string_view name) : content_(name) {}

  // The next message, unlike any other; empty if too much is outstanding. Some are longer than any buffer of the proxy.
  std::string next();

  // Adds to the bytes that must come back.
  void expect(std::string_view echo);

  // False: something else arrived.
  bool take(std::string_view bytes);

  // The number of messages that have come back complete since the last call.
  std::uint64_t collect() { return std::exchange(returned_, 0); }

  bool all_returned() const { return outstanding_.empty(); }

 private:
  Content content_;
  std::uint64_t offset_ = 0;
  std::uint64_t serial_ = 0;
  std::string outstanding_;
  std::deque<std::uint64_t> ends_;  // of the outstanding messages, as positions in the whole echo
  std::uint64_t expected_bytes_ = 0;
  std::uint64_t taken_bytes_ = 0;
  std::uint64_t returned_ = 0;
};

}  // namespace baton::clients
