// A stand-in for a supervised baton in the demo's tests: a byte relay with baton's files and admin socket. It relays as
// the parent; its worker is a child that only waits, so that it can be replaced or killed. FAKE_BATON_FAULT names one
// thing that it does wrong; "corrupts", "loses", "doubles" (a byte) and "drops" (a connection) are followed by the
// connection's kind, which is the beginning of its first request's target, or "tcp", and by its transport: "plain", or
// TLS's version as OpenSSL writes it, and so is "drops_on_the_way_back"; "resets" (in the crash, so many connections)
// by their number. `ctl upgrade --canary` has every fifth of the connections that ask below /asked/ answered as the
// demo's canary would, until four of its answers were failures.
#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "demo/canary_marks.hpp"
#include "demo/fake_settings.hpp"

namespace {

using namespace baton::demo;

using namespace std::string_literals;

volatile std::sig_atomic_t upgrade_wanted = 0;
volatile std::sig_atomic_t stop_wanted = 0;
volatile std::sig_atomic_t child_ended = 0;

struct Socket {
  int fd = -1;
  std::shared_ptr<SSL> tls;  // none: plain
};

// One direction of a connection: bytes that `to` has not taken yet are kept, and `from` is not read meanwhile.
struct Direction {
  Socket from;
  Socket to;
  std::string pending;
};

struct Connection {
  Direction up;    // from the client
  Direction down;  // to the client
  std::string kind;
  std::string transport;
  unsigned number = 0;
  bool names_canary = false;  // its next answer
};

struct Fault {
  std::string name, kind, transport;
};

struct Fake {
  Fault fault;
  Settings settings;
  std::shared_ptr<SSL_CTX> server;  // before clients
  std::shared_ptr<SSL_CTX> client;  // before upstreams
  std::vector<int> listeners;
  int admin = -1;
  std::vector<Connection> connections;
  unsigned generation = 1;
  unsigned accepted = 0;
  bool spoiling = false;
  pid_t worker = 0;
  std::string last_upgrade = "null";
  std::string last_crash = "null";
  int ctl = -1;  // whoever waits for the end of the canary; none: there is none
  unsigned asked_of_canary = 0;
  unsigned failed = 0;
  unsigned missing = 0;  // connections that the status leaves out
};

void prepare_tls(Fake& fake) {
  fake.server = {SSL_CTX_new(TLS_server_method()), SSL_CTX_free};
  fake.client = {SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
  const Settings& settings = fake.settings;
  if (SSL_CTX_use_certificate_file(fake.server.get(), settings.certificate_path.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_use_PrivateKey_file(fake.server.get(), settings.key_path.c_str(), SSL_FILETYPE_PEM) != 1) {
    die("no certificate, or no key to it");
  }
  const auto take_first = [](SSL*, const unsigned char** name, unsigned char* bytes, const unsigned char* offered,
                             auto...) {
    *bytes = offered[0];
    *name = offered + 1;
    return SSL_TLSEXT_ERR_OK;
  };
  SSL_CTX_set_alpn_select_cb(fake.server.get(), take_first, nullptr);
  for (SSL_CTX* const side : {fake.server.get(), fake.client.get()}) {
    SSL_CTX_set_mode(side, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  }
}

// The value that recv or send would return.
ssize_t result_of(const Socket& socket, int result) {
  if (result > 0) return result;
  const int why = SSL_get_error(socket.tls.get(), result);
  errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
  return why == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

// At most one TLS record, so that none is left where poll does not see it.
ssize_t receive(const Socket& socket, char* bytes, std::size_t count) {
  if (!socket.tls) return ::recv(socket.fd, bytes, count, 0);
  ERR_clear_error();
  return result_of(socket, SSL_read(socket.tls.get(), bytes, static_cast<int>(count)));
}

ssize_t transmit(const Socket& socket, const std::string& bytes) {
  if (!socket.tls) return ::send(socket.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (bytes.empty()) return 0;
  ERR_clear_error();
  return result_of(socket, SSL_write(socket.tls.get(), bytes.data(), static_cast<int>(bytes.size())));
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void listen_on(Fake& fake) {
  for (const Place& place : fake.settings.listeners) {
    const sockaddr_in address = loopback(place.port);
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("bind");
    ::listen(listener, 1024);
    fake.listeners.push_back(listener);
  }

  sockaddr_un admin{};
  admin.sun_family = AF_UNIX;
  fake.settings.admin_path.copy(admin.sun_path, sizeof admin.sun_path - 1);
  fake.admin = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (::bind(fake.admin, reinterpret_cast<const sockaddr*>(&admin), sizeof admin) != 0) die("bind admin");
  ::listen(fake.admin, 16);
}

void write_pid_file(const Fake& fake, pid_t pid) {
  std::ofstream(fake.settings.pid_path) << pid << '\n';
}

std::string status_json(const Fake& fake) {
  std::ostringstream json;
  json << R"({"generation":)" << fake.generation << R"(,"pid":)" << fake.worker
       << R"(,"version":"0.1.0","connections":{"idle":0,"total":)" << fake.connections.size() - fake.missing
       << R"(},"accepted_total":)" << fake.accepted << R"(,"requests_total":0,"last_upgrade":)" << fake.last_upgrade
       << R"(,"crashes":{"total":)" << (fake.last_crash == "null" ? 0 : 1) << R"(,"last":)" << fake.last_crash << "}}";
  return json.str();
}

std::string report_json(const std::string& result, pid_t from, pid_t to, std::size_t moved) {
  std::ostringstream json;
  json
      << R"({"result":")" << result << R"(","reason":"","from_pid":)" << from << R"(,"to_pid":)" << to
      << R"(,"duration_ms":1.5,"moved":{"idle":)" << moved << R"(},"moved_total":)" << moved
      << R"(,"upstream_idle_moved":0,"taken_back":0,"refused":0,"refused_by_reason":{},"pause_us":{"p50":1,"p99":2,"max":3}})";
  return json.str();
}

std::string canary_json(const Fake& fake, const std::string& verdict) {
  const std::string by = fake.fault.name == "called_back_by_command" ? "command" : "comparison";
  std::ostringstream json;
  json << R"({"share":2E1,"verdict":")" << verdict << R"(","decided_by":")" << by
       << R"(","text":"4 clients failed","canary":{"exchanges":)" << fake.asked_of_canary << R"(,"clients_failed":)"
       << fake.failed << R"(},"others":{"exchanges":1,"clients_failed":0}})";
  return json.str();
}

void answer_ctl(int& socket, const char* status) {
  const std::string answer = "HTTP/1.1 "s + status + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  ::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL);
  ::close(std::exchange(socket, -1));
}

void answer_admin(Fake& fake) {
  const int socket = ::accept(fake.admin, nullptr, nullptr);
  std::string request;
  char bytes[1024];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t count = ::recv(socket, bytes, sizeof bytes, 0);
    if (count <= 0) break;
    request.append(bytes, static_cast<std::size_t>(count));
  }
  if (request.starts_with("POST /upgrade ")) {
    fake.ctl = socket;
    return;
  }
  const std::string body = request.starts_with("GET /status ") ? status_json(fake) : "ready\n";
  const std::string answer =
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  ::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL);
  ::close(socket);
}

// Handshakes block: the other side runs in another thread or two.
Socket open_socket(int fd, const std::shared_ptr<SSL_CTX>& context) {
  Socket socket{.fd = fd, .tls = {}};
  if (context) {
    SSL* const tls = SSL_new(context.get());
    socket.tls = {tls, SSL_free};
    SSL_set_fd(tls, fd);
    if ((SSL_is_server(tls) == 1 ? SSL_accept(tls) : SSL_connect(tls)) != 1) die("handshake");
  }
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  return socket;
}

void accept_client(Fake& fake, std::size_t entrance) {
  const Place& listener = fake.settings.listeners[entrance];
  const bool is_tcp = !listener.upstream.empty();
  const auto upstream =
      std::ranges::find(fake.settings.upstreams, is_tcp ? listener.upstream : fake.settings.route, &Place::name);
  if (upstream == fake.settings.upstreams.end()) die("no such upstream");

  const int accepted = ::accept(fake.listeners[entrance], nullptr, nullptr);
  const Socket client = open_socket(accepted, listener.has_tls ? fake.server : nullptr);
  const sockaddr_in origin = loopback(upstream->port);
  const int connected = ::socket(AF_INET, SOCK_STREAM, 0);
  if (::connect(connected, reinterpret_cast<const sockaddr*>(&origin), sizeof origin) != 0) die("connect");
  const Socket server = open_socket(connected, upstream->has_tls ? fake.client : nullptr);
  fake.connections.push_back({.up = {client, server, {}},
                              .down = {server, client, {}},
                              .kind = is_tcp ? "tcp" : "",
                              .transport = client.tls ? SSL_get_version(client.tls.get()) : "plain",
                              .number = fake.accepted++});
}

void close_connection(const Connection& connection) {
  ::close(connection.up.from.fd);
  ::close(connection.up.to.fd);
}

bool matches(const Fault& fault, const Connection& connection) {
  return !connection.kind.empty() && connection.kind.starts_with(fault.kind) && connection.transport == fault.transport;
}

// Once after each upgrade, in the direction whose bytes are verified.
void spoil(Fake& fake, const Connection& connection, bool answer, std::string& bytes) {
  const bool verified = connection.kind.starts_with("/upload/") != answer;
  if (!fake.spoiling || !verified || !matches(fake.fault, connection)) return;
  // Frames are not all content.
  if (bytes.size() < (connection.kind == "http2" ? 8000 : connection.kind == "grpc" ? 300 : 0)) return;
  fake.spoiling = false;
  const std::size_t at = bytes.size() - bytes.size() / 3 - 1;
  if (fake.fault.name == "corrupts") bytes[at] = static_cast<char>(bytes[at] ^ 1);
  if (fake.fault.name == "loses") bytes.erase(at, 1);
  if (fake.fault.name == "doubles") bytes.insert(at, 1, bytes[at]);
}

// False: the connection has ended.
bool send_pending(Direction& direction) {
  const ssize_t count = transmit(direction.to, direction.pending);
  if (count < 0) return errno == EAGAIN;
  direction.pending.erase(0, static_cast<std::size_t>(count));
  return true;
}

// Answers one of ten requests itself, which is then empty, and marks the answers to all others.
bool pass_canary(Fake& fake, Connection& connection, bool answer, std::string& bytes) {
  if (answer && std::exchange(connection.names_canary, false)) {
    bytes.insert(bytes.find("\r\n"), "\r\n"s + canary_field + ": here");
  }
  if (answer || fake.ctl < 0 || !connection.kind.starts_with(asked_prefix)) return true;
  const bool is_other = connection.number % 5 != 0;
  if (is_other && (fake.fault.name != "fails_others" || fake.failed != 0)) return true;
  connection.names_canary = ++fake.asked_of_canary % 10 != 0 && !is_other;
  if (connection.names_canary) return true;
  ++fake.failed;
  bytes.clear();
  const std::string body(is_other ? "" : canary_page);
  connection.down.pending +=
      "HTTP/1.1 502 Bad Gateway\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  return send_pending(connection.down);
}

bool relay(Fake& fake, Connection& connection, bool answer) {
  Direction& direction = answer ? connection.down : connection.up;
  char bytes[16384];
  const ssize_t count = receive(direction.from, bytes, sizeof bytes);
  if (count <= 0) return count < 0 && errno == EAGAIN;
  direction.pending.assign(bytes, static_cast<std::size_t>(count));
  if (connection.kind.empty()) {
    std::istringstream line(direction.pending);
    std::string method;
    line >> method >> connection.kind;
    // The first of HTTP/2's SETTINGS, behind the preface and two heads, is the window for streams.
    if (method == "PRI") connection.kind = line.str().substr(35, 4) == "\0\0\xff\xff"s ? "http2" : "grpc";
  }
  spoil(fake, connection, answer, direction.pending);
  if (!pass_canary(fake, connection, answer, direction.pending)) return false;
  return send_pending(direction);
}

void begin_worker(Fake& fake) {
  fake.worker = ::fork();
  if (fake.worker == 0) ::close_range(3, ~0u, 0);  // what we close must end
  while (fake.worker == 0) ::pause();
  std::cerr << "fake baton: supervisor: PID " << fake.worker << " is the instance\n";
}

void end_worker(pid_t pid) {
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

std::vector<Connection>::iterator find_faulty(Fake& fake) {
  return std::ranges::find_if(fake.connections, [&](const auto& one) { return matches(fake.fault, one); });
}

void drop(Fake& fake) {
  const auto dropped = find_faulty(fake);
  if (dropped == fake.connections.end()) return;
  close_connection(*dropped);
  fake.connections.erase(dropped);
}

void upgrade(Fake& fake) {
  upgrade_wanted = 0;
  const pid_t predecessor = fake.worker;
  std::cerr << "fake baton: upgrading " << predecessor << '\n';
  if (fake.fault.name == "rolls_back") {
    fake.last_upgrade = report_json("rolled_back", predecessor, 0, 0);
    return;
  }
  begin_worker(fake);
  ++fake.generation;
  if (fake.fault.name == "miscounts") ++fake.accepted;
  if (fake.fault.name == "keeps_generation") --fake.generation;
  if (fake.fault.name == "changes_pid_file") write_pid_file(fake, fake.worker);
  fake.last_upgrade = report_json("completed", predecessor, fake.worker, fake.connections.size());
  fake.spoiling = true;
  if (fake.fault.name != "lingers") end_worker(predecessor);
  if (fake.fault.name == "drops") drop(fake);
}

void call_back(Fake& fake) {
  const bool goes_on = fake.fault.name == "promotes";
  std::string report = report_json(goes_on ? "completed" : "rolled_back", fake.worker, 0, 16);
  report.pop_back();
  fake.last_upgrade = report + R"(,"canary":)" + canary_json(fake, goes_on ? "go_on" : "back") + "}";
  if (fake.fault.name == "keeps_some") fake.missing = 100;
  if (fake.fault.name == "drops_on_the_way_back") drop(fake);
  fake.failed = 0;
  answer_ctl(fake.ctl, goes_on ? "200 OK" : "409 Conflict");
}

// What was counted is forgotten.
void crash(Fake& fake) {
  child_ended = 0;
  if (::waitpid(fake.worker, nullptr, WNOHANG) != fake.worker || fake.fault.name == "stays_dead") return;
  const pid_t killed = fake.worker;
  begin_worker(fake);
  ++fake.generation;
  fake.accepted = 0;
  fake.last_crash =
      R"({"pid":)" + std::to_string(fake.fault.name == "forgets_the_dead" ? 0 : killed) + R"(,"stall_us":2500})";
  if (fake.fault.name == "ends_in_crash") {
    ::shutdown(fake.connections.front().up.from.fd, SHUT_WR);
    fake.connections.erase(fake.connections.begin());
  }
  for (int left = fake.fault.name == "resets" ? std::stoi(fake.fault.kind) : 0; left > 0; --left) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fake.connections.front().up.from.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close_connection(fake.connections.front());
    fake.connections.erase(fake.connections.begin());
  }
}

// Waits for a socket to become readable only when its bytes have somewhere to go.
short wanted(const Direction& in, const Direction& out) {
  return static_cast<short>((in.pending.empty() ? POLLIN : 0) | (out.pending.empty() ? 0 : POLLOUT));
}

// False: the connection has ended.
bool serve_connection(Fake& fake, Connection& connection, short client, short upstream) {
  if ((client & POLLOUT) != 0 && !send_pending(connection.down)) return false;
  if ((upstream & POLLOUT) != 0 && !send_pending(connection.up)) return false;
  constexpr short readable = POLLIN | POLLHUP | POLLERR;
  if ((client & readable) != 0 && connection.up.pending.empty() && !relay(fake, connection, false)) return false;
  return (upstream & readable) == 0 || !connection.down.pending.empty() || relay(fake, connection, true);
}

void serve(Fake& fake, const sigset_t& awake) {
  for (;;) {
    // As long as something is ready, ppoll lets no signal in.
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, &awake, &blocked), sigprocmask(SIG_SETMASK, &blocked, nullptr);
    if (stop_wanted != 0) return;
    if (upgrade_wanted != 0) upgrade(fake);
    if (child_ended != 0) crash(fake);
    if (fake.failed >= 4) call_back(fake);
    std::vector<pollfd> polled{{fake.admin, POLLIN, 0}};
    for (const int listener : fake.listeners) polled.push_back({listener, POLLIN, 0});
    const std::size_t first = polled.size();
    for (const Connection& connection : fake.connections) {
      polled.push_back({connection.up.from.fd, wanted(connection.up, connection.down), 0});
      polled.push_back({connection.down.from.fd, wanted(connection.down, connection.up), 0});
    }
    if (::ppoll(polled.data(), polled.size(), nullptr, &awake) < 0) continue;
    for (std::size_t i = fake.connections.size(); i-- > 0;) {
      Connection& connection = fake.connections[i];
      const bool open =
          serve_connection(fake, connection, polled[first + 2 * i].revents, polled[first + 2 * i + 1].revents);
      if (open) continue;
      close_connection(connection);
      fake.connections.erase(fake.connections.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (polled[0].revents != 0) answer_admin(fake);
    for (std::size_t i = 0; i < fake.listeners.size(); ++i) {
      if (polled[1 + i].revents != 0) accept_client(fake, i);
    }
  }
}

Fault read_fault() {
  const char* text = std::getenv("FAKE_BATON_FAULT");
  std::istringstream words(text == nullptr ? "" : text);
  Fault fault;
  words >> fault.name >> fault.kind >> fault.transport;
  return fault;
}

int ctl_upgrade(const std::string& configuration) {
  sockaddr_un admin{};
  admin.sun_family = AF_UNIX;
  const Settings settings = read_settings(configuration);
  settings.admin_path.copy(admin.sun_path, sizeof admin.sun_path - 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&admin), sizeof admin) != 0) die("connect to admin");
  constexpr std::string_view request = "POST /upgrade HTTP/1.1\r\n\r\n";
  ::send(socket, request.data(), request.size(), MSG_NOSIGNAL);
  char answer[1024];
  const ssize_t count = ::recv(socket, answer, sizeof answer, 0);
  return count > 0 && std::string_view(answer, static_cast<std::size_t>(count)).starts_with("HTTP/1.1 200") ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 5 && arguments[1] == "ctl"s && arguments[2] == "upgrade"s) return ctl_upgrade(arguments[4]);
  if (count != 5) die("usage: fake_baton run --supervise -c FILE, or ctl upgrade -c FILE --canary SHARE");
  Fake fake{.fault = read_fault(), .settings = read_settings(arguments[4])};
  if (fake.fault.name == "does_not_start") die("listeners.yaml:1:1: nothing here is right");

  // Signals arrive only while we wait, so none is missed between checking the flags and waiting.
  sigset_t blocked, awake;
  sigemptyset(&blocked);
  for (const int signal : {SIGUSR2, SIGTERM, SIGCHLD}) sigaddset(&blocked, signal);
  sigprocmask(SIG_BLOCK, &blocked, &awake);
  std::signal(SIGUSR2, [](int) { upgrade_wanted = 1; });
  std::signal(SIGTERM, [](int) { stop_wanted = 1; });
  std::signal(SIGCHLD, [](int) { child_ended = 1; });
  std::signal(SIGPIPE, SIG_IGN);
  prepare_tls(fake);
  listen_on(fake);
  write_pid_file(fake, ::getpid());
  begin_worker(fake);
  serve(fake, awake);
  end_worker(fake.worker);
  return 0;
}
