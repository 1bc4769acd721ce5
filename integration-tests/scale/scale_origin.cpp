#include "scale/scale_origin.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <memory>
#include <optional>
#include <string>

#include "clients/dialogue.hpp"
#include "clients/events.hpp"
#include "clients/http2_service.hpp"
#include "harness/deadline.hpp"
#include "scale/loop.hpp"
#include "scale/turns.hpp"

namespace baton::harness {

namespace {

class Connection final : public Peer {
 public:
  Connection(Fd socket, Board& board, Turns<Connection>& streams)
      : Peer(std::move(socket)), board_(board), streams_(streams) {}

  // Sends one more piece of the stream, or its end.
  void flow(bool finish) {
    if (!events_ || has_ended() || is_blocked()) return;
    const std::string bytes = finish ? events_->end() : events_->next();
    if (finish) events_.reset();
    board_.streamed_bytes += bytes.size();
    send(bytes);
  }

 private:
  void on_bytes(std::string_view bytes) override {
    if (is_tunnel_) return send(bytes);
    if (http2_) return serve_http2(bytes);
    unread_ += bytes;
    // No request of HTTP/1.1 begins like HTTP/2's preface.
    if (unread_.starts_with("PRI ")) {
      http2_ = std::make_unique<clients::Http2Service>([](std::string_view) { return std::nullopt; });
      return serve_http2(std::exchange(unread_, {}));
    }
    for (std::size_t end; !is_tunnel_ && (end = unread_.find("\r\n\r\n")) != std::string::npos;) {
      const std::string head = unread_.substr(0, end);
      unread_.erase(0, end + 4);
      answer(head.substr(4, head.find(' ', 4) - 4));
    }
    if (is_tunnel_ && !unread_.empty()) send(std::exchange(unread_, {}));
  }

  void serve_http2(std::string_view bytes) {
    if (!http2_->receive(bytes)) throw Failure("no HTTP/2");
    for (std::string unsent; !(unsent = http2_->take_unsent()).empty();) send(unsent);
  }

  void answer(const std::string& target) {
    if (target.starts_with(clients::events_prefix)) {
      send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      events_.emplace(target);
      flow(false);
      streams_.add(*this);
    } else if (target.starts_with(clients::websocket_prefix)) {
      is_tunnel_ = true;
      send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    } else {
      const std::string body = clients::expected_body(target);
      send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
  }

  Board& board_;
  Turns<Connection>& streams_;
  std::string unread_;
  std::optional<clients::EventStream> events_;  // while the stream flows
  std::unique_ptr<clients::Http2Service> http2_;  // on a connection of HTTP/2
  bool is_tunnel_ = false;
};

class Entrance final : public Peer {
 public:
  Entrance(Fd listener, Board& board, Loop& loop, Turns<Connection>& streams)
      : Peer(std::move(listener)), board_(board), loop_(loop), streams_(streams) {
    ::fcntl(fd(), F_SETFL, O_NONBLOCK);
  }

  void on_readable() override {
    for (Fd socket; (socket = Fd(::accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC)));) {
      const int on = 1;
      ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      loop_.add(std::make_unique<Connection>(std::move(socket), board_, streams_));
    }
  }

 private:
  Board& board_;
  Loop& loop_;
  Turns<Connection>& streams_;
};

}  // namespace

void run_scale_origin(Board& board, Fd listener) {
  Loop loop;
  Turns<Connection> streams;
  loop.add(std::make_unique<Entrance>(std::move(listener), board, loop, streams));
  while (board.task != Task::leave) {
    loop.run_once();
    streams.tick([](Connection& stream) { stream.flow(false); });
    if (board.task == Task::finish) streams.each([](Connection& stream) { stream.flow(true); });
  }
}

}  // namespace baton::harness
