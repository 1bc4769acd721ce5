// The client's end of an HTTP/2 connection, without I/O, over nghttp2: many streams at a time, each with a judge of
// what it receives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct nghttp2_session;

namespace baton::clients {

using Http2Fields = std::vector<std::pair<std::string, std::string>>;

// What a stream receives. Each function returns what is wrong with it; empty: nothing.
class Http2Judge {
 public:
  virtual ~Http2Judge() = default;
  virtual std::string on_head(unsigned status, const Http2Fields& fields) = 0;
  virtual std::string on_body(std::string_view bytes) = 0;
  virtual std::string on_trailers(const Http2Fields& fields) = 0;
  virtual std::string on_end() = 0;
};

struct Http2Request {
  std::string_view target;
  std::string_view host;
  std::string_view method = "GET";
  bool has_body = false;
  bool is_held = false;       // the stream's window opens only by `read_on`
  bool is_websocket = false;  // an extended CONNECT (RFC 8441)
  Http2Fields fields = {};    // more of them
};

class Http2Session {
 public:
  // `stream_window`: bytes of a body that may be under way on each stream.
  explicit Http2Session(std::uint32_t stream_window = 65'535);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  std::int32_t begin(const Http2Request& request, std::shared_ptr<Http2Judge> judge);
  // A part of a request's body, as far as the windows allow; the rest follows by itself.
  void send(std::int32_t stream, std::string_view bytes, bool ends = false);
  // Opens the window of a held stream by what it has received since the last time.
  void read_on(std::int32_t stream);
  // Changes the windows of all streams.
  void set_stream_window(std::uint32_t bytes);
  // Ends a stream whose rest is of no interest.
  void cancel(std::int32_t stream);

  // What is wrong with the connection so far; empty: nothing.
  std::string receive(std::string_view bytes);
  // What is to be sent now.
  std::string take_unsent();

  std::size_t open_streams() const { return streams_.size(); }
  bool is_open(std::int32_t stream) const { return streams_.contains(stream); }
  // Bytes of a request's body that the windows hold back.
  std::size_t held_back(std::int32_t stream) const;

 private:
  struct Stream {
    std::shared_ptr<Http2Judge> judge;
    bool is_held = false;
    bool is_cancelled = false;
    std::size_t unread_bytes = 0;  // of a held stream
    std::string unsent;
    bool ends = false;
    unsigned status = 0;
    bool has_head = false;
    Http2Fields fields;
  };
  struct Callbacks;

  void complain(const std::string& what);

  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, Stream> streams_;
  std::string wrong_;
};

}  // namespace baton::clients
