// The bench's clients and its origin, in one epoll loop on one CPU, so that the proxy between them is what takes time.
// Commands come line by line on standard input and run one after another; each is answered by one line.
//
//   open GROUP PORT COUNT     opens COUNT connections, each for one request; they stay open and idle
//   ask GROUP COUNT PATH      COUNT requests on the group's connections, each sending again at once
//   each GROUP                one request on every connection of the group, `in_flight_max` at a time
//   fresh PORT COUNT          COUNT requests, each on a connection of its own, which the proxy is asked to close
//   close GROUP               closes the group's connections
//
// The answer is "answered=N lost=M": lost is what ended without a whole 200 response. The first line written is
// "origin=PORT". The origin answers /large with 1 MiB and everything else with 13 bytes. A command that takes longer
// than `patience_s` ends the program: the proxy hangs.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t in_flight_max = 64;
constexpr std::size_t large_bytes = 1024 * 1024;
constexpr unsigned patience_s = 300;
// Sent without waiting: a request fits into an empty socket. Read without waiting: the loop looks at readiness only.
constexpr int at_once = MSG_DONTWAIT | MSG_NOSIGNAL;

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

std::string head_text(std::size_t body_bytes) {
  return "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n"
         "Content-Length: " +
         std::to_string(body_bytes) + "\r\n\r\n";
}

std::string request_text(std::string_view path, bool close) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n" +
         (close ? "Connection: close\r\n" : "") + "\r\n";
}

// One socket in the loop.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  virtual ~Peer() { end(); }
  virtual void on_events(std::uint32_t events) = 0;

  int fd() const { return fd_; }
  void end() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

class Loop {
 public:
  void add(Peer& peer) { control(EPOLL_CTL_ADD, peer, EPOLLIN); }
  void watch(Peer& peer, std::uint32_t events) { control(EPOLL_CTL_MOD, peer, events); }

  // Never sleeps: a proxy must not pay for waking us, as it would not pay for waking another machine.
  void run_once() {
    epoll_event events[256];
    const int count = ::epoll_wait(epoll_, events, 256, 0);
    for (int i = 0; i < count; ++i) {
      auto* peer = static_cast<Peer*>(events[i].data.ptr);
      if (peer->fd() >= 0) peer->on_events(events[i].events);
    }
    gone_.clear();
  }

  // Another event of this round may still point to it.
  void dispose(std::unique_ptr<Peer> peer) {
    peer->end();
    gone_.push_back(std::move(peer));
  }

 private:
  void control(int operation, Peer& peer, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &peer;
    if (::epoll_ctl(epoll_, operation, peer.fd(), &event) != 0) give_up("epoll_ctl");
  }

  int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<Peer>> gone_;
};

// ── The origin ────────────────────────────────────────────────────────────────────────────────────────────────────

// Knows requests without a body only.
class OriginConnection final : public Peer {
 public:
  OriginConnection(Loop& loop, int fd) : Peer(fd), loop_(loop) { loop_.add(*this); }

  void on_events(std::uint32_t events) override {
    if ((events & EPOLLOUT) != 0) return send();
    char bytes[16 * 1024];
    const ssize_t got = ::recv(fd(), bytes, sizeof bytes, at_once);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return loop_.dispose(std::unique_ptr<Peer>(this));
    std::string_view input(bytes, static_cast<std::size_t>(got));
    if (!unread_.empty()) input = unread_.append(input);
    std::size_t used = 0;
    for (std::size_t end; (end = input.find("\r\n\r\n", used)) != input.npos; used = end + 4) {
      answer(input.substr(used).starts_with("GET /large "));
    }
    unread_ = std::string(input.substr(used));
    if (!unsent_.empty()) send();
  }

 private:
  void answer(bool large) {
    static const std::string small_response = head_text(13) + "Hello, world!";
    static const std::string large_response = head_text(large_bytes) + std::string(large_bytes, 'x');
    if (unsent_.empty()) {
      unsent_ = large ? large_response : small_response;  // a view: nothing is copied
    } else {
      give_up("a pipelined request");
    }
  }

  void send() {
    const ssize_t put = ::send(fd(), unsent_.data(), unsent_.size(), at_once);
    if (put < 0 && errno != EAGAIN) return loop_.dispose(std::unique_ptr<Peer>(this));
    if (put > 0) unsent_.remove_prefix(static_cast<std::size_t>(put));
    if (unsent_.empty() == waiting_) {
      waiting_ = !waiting_;
      loop_.watch(*this, waiting_ ? EPOLLOUT : EPOLLIN);
    }
  }

  Loop& loop_;
  std::string unread_;
  std::string_view unsent_;
  bool waiting_ = false;  // for room in the socket
};

class Origin final : public Peer {
 public:
  explicit Origin(Loop& loop) : Peer(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), loop_(loop) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (::bind(fd(), reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(fd(), 4096) != 0 ||
        ::getsockname(fd(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      give_up("the origin's socket");
    }
    port_ = ntohs(address.sin_port);
    loop_.add(*this);
  }

  std::uint16_t port() const { return port_; }

  void on_events(std::uint32_t) override {
    const int fd_of_proxy = ::accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd_of_proxy < 0) return;
    const int on = 1;
    ::setsockopt(fd_of_proxy, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    new OriginConnection(loop_, fd_of_proxy);  // disposes of itself when the proxy closes
  }

 private:
  Loop& loop_;
  std::uint16_t port_ = 0;
};

// ── The clients ───────────────────────────────────────────────────────────────────────────────────────────────────

class Client;

// What a command waits for.
class Batch {
 public:
  virtual ~Batch() = default;
  // The client may be gone after this.
  virtual void answered(Client& client) = 0;
  virtual void lost(Client& client) = 0;
};

class Client final : public Peer {
 public:
  Client(Loop& loop, int fd) : Peer(fd) { loop.add(*this); }

  void ask(std::string_view request, bool close, Batch& batch) {
    batch_ = &batch;
    closes_ = close;
    head_.clear();
    body_left_ = 0;
    done_ = false;
    if (::send(fd(), request.data(), request.size(), at_once) != static_cast<ssize_t>(request.size()))
      batch.lost(*this);
  }

  void on_events(std::uint32_t) override {
    // A body is counted and dropped in the kernel: copying it is the proxy's affair, not ours.
    const bool in_body = body_left_ != 0;
    char bytes[16 * 1024];
    const ssize_t got =
        in_body ? ::recv(fd(), nullptr, body_left_, at_once | MSG_TRUNC) : ::recv(fd(), bytes, sizeof bytes, at_once);
    if (got < 0 && errno == EAGAIN) return;
    if (batch_ == nullptr) return end();  // idle: closed by the proxy, and lost at the next request
    if (got == 0 && done_ && closes_) return finish();
    if (got <= 0 || done_) return batch_->lost(*this);
    if (in_body) return count_body(static_cast<std::size_t>(got));
    head_.append(bytes, static_cast<std::size_t>(got));
    const std::size_t end = head_.find("\r\n\r\n");
    if (end == head_.npos) return;
    const char* length = ::strcasestr(head_.c_str(), "\r\ncontent-length:");
    if (!head_.starts_with("HTTP/1.1 200 ") || length == nullptr || length > head_.c_str() + end) {
      return batch_->lost(*this);
    }
    body_left_ = std::strtoul(length + 17, nullptr, 10);
    count_body(head_.size() - end - 4);
  }

 private:
  void count_body(std::size_t bytes) {
    if (bytes > body_left_) return batch_->lost(*this);
    body_left_ -= bytes;
    done_ = body_left_ == 0;
    if (done_ && !closes_) finish();
  }

  void finish() { std::exchange(batch_, nullptr)->answered(*this); }

  Batch* batch_ = nullptr;  // null: idle
  std::string head_;
  std::size_t body_left_ = 0;
  bool closes_ = false;  // the response is whole when the connection has ended, too
  bool done_ = false;
};

using Group = std::vector<std::unique_ptr<Client>>;

std::unique_ptr<Client> connect_to(Loop& loop, std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) give_up("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("connect");
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return std::make_unique<Client>(loop, fd);
}

// A number of requests, and where each is sent.
class Requests final : public Batch {
 public:
  enum class On { same_connection, next_connection, new_kept_connection, new_connection };

  Requests(Loop& loop, On on, Group& group, std::uint16_t port, std::size_t count, std::string_view path)
      : loop_(loop),
        on_(on),
        group_(group),
        port_(port),
        count_(count),
        request_(request_text(path, on == On::new_connection)) {}

  void run() {
    const std::size_t first = on_ == On::same_connection ? group_.size() : in_flight_max;
    for (std::size_t i = 0; i < first && begun_ < count_; ++i) {
      begin(on_ == On::same_connection ? group_[i].get() : nullptr);
    }
    while (answered_ + lost_ < begun_) loop_.run_once();
    std::cout << "answered=" << answered_ << " lost=" << lost_ + (count_ - begun_) << std::endl;
  }

  void answered(Client& client) override {
    ++answered_;
    if (on_ == On::new_connection) drop(client);
    if (begun_ < count_) begin(on_ == On::same_connection ? &client : nullptr);
  }

  void lost(Client& client) override {
    ++lost_;
    if (on_ == On::new_connection) {
      drop(client);
    } else {
      client.end();
    }
    if (begun_ < count_ && on_ != On::same_connection) begin(nullptr);
  }

 private:
  void begin(Client* client) {
    const std::size_t number = begun_++;
    if (on_ == On::next_connection) {
      client = group_[number].get();
    } else if (on_ != On::same_connection) {
      auto made = connect_to(loop_, port_);
      client = made.get();
      if (on_ == On::new_connection) {
        made.release();  // dropped when it is done
      } else {
        group_.push_back(std::move(made));
      }
    }
    client->ask(request_, on_ == On::new_connection, *this);
  }

  void drop(Client& client) { loop_.dispose(std::unique_ptr<Peer>(&client)); }

  Loop& loop_;
  On on_;
  Group& group_;
  std::uint16_t port_;
  std::size_t count_;
  std::string request_;
  std::size_t begun_ = 0;
  std::size_t answered_ = 0;
  std::size_t lost_ = 0;
};

}  // namespace

int main() {
  using On = Requests::On;
  Loop loop;
  const Origin origin(loop);
  std::cout << "origin=" << origin.port() << std::endl;
  std::map<std::string, Group> groups;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command, name, path = "/";
    std::uint16_t port = 0;
    std::size_t count = 0;
    words >> command;
    ::alarm(patience_s);
    if (command == "open" && words >> name >> port >> count) {
      Requests(loop, On::new_kept_connection, groups[name], port, count, path).run();
    } else if (command == "ask" && words >> name >> count >> path) {
      Requests(loop, On::same_connection, groups[name], port, count, path).run();
    } else if (command == "each" && words >> name) {
      Requests(loop, On::next_connection, groups[name], port, groups[name].size(), path).run();
    } else if (command == "fresh" && words >> port >> count) {
      Requests(loop, On::new_connection, groups[name], port, count, path).run();
    } else if (command == "close" && words >> name) {
      groups.erase(name);
      std::cout << "answered=0 lost=0" << std::endl;
    } else {
      std::cerr << "load: what is '" << line << "'?\n";
      return 2;
    }
    ::alarm(0);
  }
}
