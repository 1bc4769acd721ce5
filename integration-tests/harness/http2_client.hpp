// A blocking HTTP/2 client on one connection, over nghttp2's session. It never reconnects.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/client.hpp"

struct nghttp2_session;

namespace baton::harness {

using Http2Fields = std::vector<std::pair<std::string, std::string>>;

struct Http2Response {
  int status = 0;            // of the final response; 0: it has not come
  std::vector<int> interim;  // the statuses before it
  Http2Fields fields;
  std::string body;
  Http2Fields trailers;
  bool ended = false;                  // with END_STREAM
  std::optional<std::uint32_t> reset;  // by the other side, with this code

  std::string field(std::string_view name) const;
};

struct Http2Options {
  std::uint32_t stream_window = 65'535;
  bool updates_windows = true;  // false: only `update_window` does
};

class Http2Client {
 public:
  // Sends the preface and SETTINGS.
  explicit Http2Client(std::unique_ptr<Client> connection, const Http2Options& options = {});
  explicit Http2Client(const Address& to, const Http2Options& options = {})
      : Http2Client(std::make_unique<Client>(to), options) {}
  ~Http2Client();

  // Begins a request. `ends`: it has no body.
  std::int32_t begin(const Http2Fields& head, bool ends = true);
  std::int32_t begin_get(std::string_view path, const Http2Fields& more = {});
  std::int32_t begin_post(std::string_view path, const Http2Fields& more = {});
  // An extended CONNECT (RFC 8441).
  std::int32_t begin_websocket(std::string_view path);
  // As far as the windows allow; the rest follows while waiting.
  void send(std::int32_t stream, std::string_view content, bool ends = false);
  void send_trailers(std::int32_t stream, const Http2Fields& trailers);
  void reset(std::int32_t stream, std::uint32_t code = 8);
  void update_window(std::int32_t stream, std::int32_t by);

  // These throw if the connection ends first; a reset of the stream ends the waiting.
  const Http2Response& await_interim(std::int32_t stream);
  const Http2Response& await_head(std::int32_t stream);
  const Http2Response& await_body(std::int32_t stream, std::size_t bytes);
  const Http2Response& await_end(std::int32_t stream);
  void await_goaway();
  // Reads until the connection has been silent for this long.
  void settle(Milliseconds quiet);
  // A PING and its answer: everything sent before has been read.
  void ping();

  Http2Response get(std::string_view path, const Http2Fields& more = {}) { return await_end(begin_get(path, more)); }
  Http2Response post(std::string_view path, std::string_view body, const Http2Fields& more = {});

  const Http2Response& response(std::int32_t stream) { return streams_[stream].response; }
  // The error code of a GOAWAY.
  std::optional<std::uint32_t> goaway() const { return goaway_; }
  // What may be sent now of bodies, for the connection's window.
  std::int32_t send_window() const;
  Client& connection() { return *connection_; }

 private:
  struct Upload {
    std::string content;
    bool ends = false;
    bool is_submitted = false;
    std::optional<Http2Fields> trailers;
  };
  struct Stream {
    Http2Response response;
    Upload upload;
  };
  struct Callbacks;

  bool is_past_head(const Http2Response& response) const;
  void flush();
  void receive();
  template <class Condition>
  const Http2Response& await(std::int32_t stream, Condition condition);

  std::unique_ptr<Client> connection_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, Stream> streams_;
  std::set<const Http2Response*> heads_;  // those whose final head, or an interim one, is whole
  std::optional<std::uint32_t> goaway_;
  unsigned pongs_ = 0;
};

}  // namespace baton::harness
