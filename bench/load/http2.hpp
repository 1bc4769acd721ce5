// The client's side of HTTP/2, as far as the bench needs it: requests with the same fields again and again, and
// responses whose ends are counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

class Http2 {
 public:
  // `stalled_streams`: not 0: the first request is sent so often and never gets more than its response's head, until a
  // second one asks for all the bodies.
  explicit Http2(std::size_t stalled_streams) : stalled_streams_(stalled_streams) {}

  // What is to be sent for the next request.
  std::string request(std::string_view path, std::string_view host);

  // Takes what has come. False: it is not what was asked for. What is to be sent in return is added to `reply`.
  bool take(std::string_view bytes, std::string& reply);
  // All that was asked for has come.
  bool done() const { return awaited_ == 0; }

 private:
  bool take_frame(std::uint8_t type, std::uint8_t flags, std::string_view payload, std::string& reply);
  std::string block(std::string_view path, std::string_view host);

  const std::size_t stalled_streams_;
  bool has_begun_ = false;
  bool is_stalled_ = false;
  std::uint32_t next_stream_ = 1;
  std::size_t awaited_ = 0;  // heads of stalled responses, or ends of others
  std::size_t unread_credit_ = 0;
  std::string unread_;
};
