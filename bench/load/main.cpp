// The bench's clients and origin, in one epoll loop on one CPU, so that most of the time is the proxy's. Commands come
// line by line on standard input and run one after another; each is answered by a line.
//
//   open GROUP PORT COUNT SPEAKS   opens COUNT connections, each for one request; they stay open and idle
//   ask GROUP COUNT PATH HOST      COUNT requests on the group's connections, without pauses
//   each GROUP                     one request on every connection of the group, `in_flight_max` at a time
//   when GROUP                     the same; its answer ends with " at_us=T,T,…", the times of the monotonic clock at
//                                  which the requests were answered
//   fresh PORT COUNT SPEAKS PATH   COUNT requests, each on its own connection, which the proxy is asked to close
//   close GROUP                    closes the group's connections
//
// SPEAKS is "plain", "tls" (full handshakes), "resumed" (each handshake resumes the newest session from that port),
// "h2" (HTTP/2 over TLS) or "stalled" (the same with `stalled_streams` on each connection, of which `open` gets only
// the heads, and the next `each` the bodies). The answer is "answered=N lost=M slowest_us=T", where T is the longest
// time that one of the requests took; lost requests got no complete 200 response or were not resumed. The first line
// written is "origin=PORT". If a command takes longer than `patience_s`, the proxy hangs, and the program ends.
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <sstream>
#include <utility>
#include <vector>

#include "client.hpp"
#include "origin.hpp"

void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

namespace {

constexpr std::size_t in_flight_max = 64;
constexpr unsigned patience_s = 300;
constexpr std::size_t stalled_streams = 10;

std::string request_text(const Resource& of, bool close) {
  const bool is_upload = of.path == "/upload";
  const bool is_until_close = of.path == "/until-close";  // nginx would send chunks to a client of HTTP/1.1
  return (is_upload ? "PUT " : "GET ") + of.path + " HTTP/" + (is_until_close ? "1.0" : "1.1") +
         "\r\nHost: " + of.host + "\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n" +
         (close ? "Connection: close\r\n" : "") +
         (is_upload ? "Content-Length: " + std::to_string(large_bytes) + "\r\n\r\n" + std::string(large_bytes, 'x')
                    : "\r\n");
}

using Group = std::vector<std::unique_ptr<Client>>;

// A proxy, and how to speak to it.
struct Target {
  std::uint16_t port = 0;
  bool tls = false;
  bool resumes = false;
  bool http2 = false;
  bool stalls = false;
};

std::istream& operator>>(std::istream& words, Target& target) {
  std::string speaks;
  words >> speaks;
  target.resumes = speaks == "resumed";
  target.stalls = speaks == "stalled";
  target.http2 = target.stalls || speaks == "h2";
  target.tls = target.resumes || target.http2 || speaks == "tls";
  if (!target.tls && speaks != "plain") words.setstate(std::ios::failbit);
  return words;
}

// A number of requests and where they are sent.
class Requests final : public Batch {
 public:
  enum class On { same_connection, next_connection, new_kept_connection, new_connection };

  Requests(Loop& loop, TlsClients& tls_clients) : loop_(loop), tls_clients_(tls_clients) {}

  void run(On on, Group& group, const Target& target, std::size_t count, const Resource& resource = {}) {
    on_ = on;
    group_ = &group;
    target_ = target;
    count_ = count;
    resource_ = resource;
    request_ = request_text(resource, on == On::new_connection);
    const std::size_t first = on_ == On::same_connection ? group.size() : in_flight_max;
    for (std::size_t i = 0; i < first && begun_ < count_; ++i) {
      begin(on_ == On::same_connection ? group[i].get() : nullptr);
    }
    while (answered_ + lost_ < begun_) loop_.run_once();
    std::cout << "answered=" << answered_ << " lost=" << lost_ + (count_ - begun_)
              << " slowest_us=" << std::chrono::duration_cast<std::chrono::microseconds>(slowest_).count();
  }

  void say_when() const {
    const char* separator = " at_us=";
    for (const auto at : answered_at_) {
      std::cout << std::exchange(separator, ",")
                << std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch()).count();
    }
  }

  void answered(Client& client) override {
    if (target_.resumes && !client.resumed()) return lost(client);
    ++answered_;
    slowest_ = std::max(slowest_, client.elapsed());
    if (on_ == On::next_connection) answered_at_.push_back(std::chrono::steady_clock::now());
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
      client = (*group_)[number].get();
    } else if (on_ != On::same_connection) {
      auto made = connect();
      client = made.get();
      if (on_ == On::new_connection) {
        made.release();  // dropped when it is done
      } else {
        group_->push_back(std::move(made));
      }
    }
    client->ask(resource_, request_, on_ == On::new_connection, *this);
  }

  std::unique_ptr<Client> connect() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) give_up("socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(target_.port);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("connect");
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto tls = target_.tls ? tls_clients_.make(fd, target_.port, target_.resumes, target_.http2) : nullptr;
    auto http2 = target_.http2 ? std::make_unique<Http2>(target_.stalls ? stalled_streams : 0) : nullptr;
    return std::make_unique<Client>(loop_, fd, std::move(tls), std::move(http2));
  }

  void drop(Client& client) { loop_.dispose(std::unique_ptr<Peer>(&client)); }

  Loop& loop_;
  TlsClients& tls_clients_;
  On on_{};
  Group* group_ = nullptr;
  Target target_;
  std::size_t count_ = 0;
  Resource resource_;
  std::string request_;
  std::size_t begun_ = 0;
  std::size_t answered_ = 0;
  std::size_t lost_ = 0;
  std::chrono::steady_clock::duration slowest_{};
  std::vector<std::chrono::steady_clock::time_point> answered_at_;  // on the next connection each
};

// Standard input. Between commands the loop keeps running, to close what the proxies close.
class Commands final : public Peer {
 public:
  explicit Commands(Loop& loop) : Peer(STDIN_FILENO), loop_(loop) { loop_.add(*this); }

  // False: there are no more. The writer waits for the answer to each.
  bool next(std::string& line) {
    while (!there_is_one_) loop_.wait_and_run_once();
    there_is_one_ = false;
    return static_cast<bool>(std::getline(std::cin, line));
  }

  void on_events(std::uint32_t) override { there_is_one_ = true; }

 private:
  Loop& loop_;
  bool there_is_one_ = false;
};

}  // namespace

int main() {
  using On = Requests::On;
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  Loop loop;
  TlsClients tls_clients;
  const Origin origin(loop);
  std::cout << "origin=" << origin.port() << std::endl;
  std::map<std::string, Group> groups;
  Commands commands(loop);
  for (std::string line; commands.next(line);) {
    std::istringstream words(line);
    std::string command, name;
    Resource resource;
    Target target;
    std::size_t count = 0;
    words >> command;
    ::alarm(patience_s);
    Requests requests(loop, tls_clients);
    if (command == "open" && words >> name >> target.port >> count >> target) {
      requests.run(On::new_kept_connection, groups[name], target, count);
    } else if (command == "ask" && words >> name >> count >> resource.path >> resource.host) {
      requests.run(On::same_connection, groups[name], target, count, resource);
    } else if ((command == "each" || command == "when") && words >> name) {
      requests.run(On::next_connection, groups[name], target, groups[name].size());
      if (command == "when") requests.say_when();
    } else if (command == "fresh" && words >> target.port >> count >> target >> resource.path) {
      requests.run(On::new_connection, groups[name], target, count, resource);
    } else if (command == "close" && words >> name) {
      groups.erase(name);
      std::cout << "answered=0 lost=0 slowest_us=0";
    } else {
      std::cerr << "load: what is '" << line << "'?\n";
      return 2;
    }
    std::cout << std::endl;
    ::alarm(0);
  }
}
