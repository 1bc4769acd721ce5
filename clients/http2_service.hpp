// The server's end of an HTTP/2 connection, without I/O, over nghttp2: the origin of the demo and of tests. Downloads,
// floods, events, uploads and echoes of gRPC go by the prefix of their target (dialogue.hpp); the caller answers the
// rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct nghttp2_session;

namespace baton::clients {

struct Http2Answer {
  unsigned status = 200;
  std::string body;
  bool announces_end = false;  // of the connection
};

class Http2Service {
 public:
  // None: there is no answer.
  using Answers = std::function<std::optional<Http2Answer>(std::string_view target)>;

  explicit Http2Service(Answers answers);
  ~Http2Service();
  Http2Service(const Http2Service&) = delete;
  Http2Service& operator=(const Http2Service&) = delete;

  // False: it is no HTTP/2.
  bool receive(std::string_view bytes);
  // What is to be sent now, a part of it if it is much.
  std::string take_unsent();
  // Downloads and events go on by a piece.
  void tick();

 private:
  class Stream;
  struct Callbacks;

  void begin(std::int32_t id);
  void end(std::int32_t id);
  void respond(std::int32_t id, unsigned status);

  Answers answers_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, Stream> streams_;
};

}  // namespace baton::clients
