// A stand-in for baton in the demo's tests: a byte relay with baton's files and admin socket whose live upgrade is a
// fork, which leaves every connection to the successor. FAKE_BATON_FAULT names one thing that it does wrong.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

volatile std::sig_atomic_t upgrade_wanted = 0;
volatile std::sig_atomic_t stop_wanted = 0;

struct Pair {
  int client;
  int upstream;
};

struct Settings {
  std::uint16_t listen_port = 0;
  std::uint16_t origin_port = 0;
  std::string admin_path;
  std::string pid_path;
};

struct Fake {
  std::string fault;
  Settings settings;
  int listener = -1;
  int admin = -1;
  std::vector<Pair> pairs;
  unsigned generation = 1;
  unsigned accepted = 0;
  bool corrupting = false;
  std::string last_upgrade = "null";
};

[[noreturn]] void die(const std::string& why) {
  std::cerr << "fake baton: " << why << '\n';
  std::_Exit(1);
}

// Reads just the lines that the demo writes.
Settings read_settings(const std::string& path) {
  Settings settings;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto after = [&line](const std::string& key) {
      const auto at = line.find(key);
      return at == std::string::npos ? std::string() : line.substr(at + key.size());
    };
    const auto port = [](const std::string& text) { return static_cast<std::uint16_t>(std::stoi(text)); };
    if (const auto text = after("bind: 127.0.0.1:"); !text.empty()) settings.listen_port = port(text);
    if (const auto text = after("address: 127.0.0.1:"); !text.empty()) settings.origin_port = port(text);
    if (const auto text = after("bind: unix:"); !text.empty()) settings.admin_path = text;
    if (const auto text = after("pid_file: "); !text.empty()) settings.pid_path = text;
  }
  return settings;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void listen_on(Fake& fake) {
  const sockaddr_in address = loopback(fake.settings.listen_port);
  fake.listener = ::socket(AF_INET, SOCK_STREAM, 0);
  if (::bind(fake.listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("bind");
  ::listen(fake.listener, 1024);

  sockaddr_un admin{};
  admin.sun_family = AF_UNIX;
  fake.settings.admin_path.copy(admin.sun_path, sizeof admin.sun_path - 1);
  fake.admin = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (::bind(fake.admin, reinterpret_cast<const sockaddr*>(&admin), sizeof admin) != 0) die("bind admin");
  ::listen(fake.admin, 16);
}

void write_pid_file(const Fake& fake) {
  std::ofstream(fake.settings.pid_path) << ::getpid() << '\n';
}

std::string status_json(const Fake& fake) {
  std::ostringstream json;
  json << R"({"generation":)" << fake.generation << R"(,"pid":)" << ::getpid()
       << R"(,"version":"0.1.0","connections":{"idle":0,"total":)" << fake.pairs.size() << R"(},"accepted_total":)"
       << fake.accepted << R"(,"requests_total":0,"last_upgrade":)" << fake.last_upgrade << "}";
  return json.str();
}

std::string report_json(const std::string& result, pid_t from, pid_t to, std::size_t moved) {
  std::ostringstream json;
  json << R"({"result":")" << result << R"(","from_pid":)" << from << R"(,"to_pid":)" << to
       << R"(,"duration_ms":1.5,"moved":{"idle":)" << moved << R"(},"moved_total":)" << moved
       << R"(,"taken_back":0,"refused":0,"pause_us":{"p50":1,"p99":2,"max":3}})";
  return json.str();
}

void answer_admin(const Fake& fake) {
  const int socket = ::accept(fake.admin, nullptr, nullptr);
  std::string request;
  char bytes[1024];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t count = ::recv(socket, bytes, sizeof bytes, 0);
    if (count <= 0) break;
    request.append(bytes, static_cast<std::size_t>(count));
  }
  const std::string body = request.starts_with("GET /status ") ? status_json(fake) : "ready\n";
  const std::string answer =
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  ::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL);
  ::close(socket);
}

void accept_client(Fake& fake) {
  const sockaddr_in origin = loopback(fake.settings.origin_port);
  const Pair pair{::accept(fake.listener, nullptr, nullptr), ::socket(AF_INET, SOCK_STREAM, 0)};
  if (::connect(pair.upstream, reinterpret_cast<const sockaddr*>(&origin), sizeof origin) != 0) die("connect");
  fake.pairs.push_back(pair);
  ++fake.accepted;
}

// False: the connection has ended.
bool relay(Fake& fake, int from, int to, bool answer) {
  char bytes[16384];
  const ssize_t count = ::recv(from, bytes, sizeof bytes, 0);
  if (count <= 0) return false;
  if (answer && fake.corrupting) {
    bytes[count - 2] = '?';
    fake.corrupting = false;
  }
  return ::send(to, bytes, static_cast<std::size_t>(count), MSG_NOSIGNAL) == count;
}

void close_pair(const Pair& pair) {
  ::close(pair.client);
  ::close(pair.upstream);
}

void succeed(Fake& fake, pid_t predecessor) {
  ++fake.generation;
  if (fake.fault != "carries_counters_on") fake.accepted = 0;
  if (fake.fault == "miscounts") ++fake.accepted;
  if (fake.fault == "keeps_generation") --fake.generation;
  if (fake.fault != "keeps_pid_file") write_pid_file(fake);
  fake.last_upgrade = report_json("completed", predecessor, ::getpid(), fake.pairs.size());
  if (fake.fault == "corrupts_a_byte") fake.corrupting = true;
  if (fake.fault == "drops_one") {
    close_pair(fake.pairs.back());
    fake.pairs.pop_back();
  }
}

void upgrade(Fake& fake) {
  upgrade_wanted = 0;
  const pid_t predecessor = ::getpid();
  std::cerr << "fake baton: upgrading " << predecessor << '\n';
  if (fake.fault == "rolls_back") {
    fake.last_upgrade = report_json("rolled_back", predecessor, 0, 0);
    return;
  }
  const pid_t successor = ::fork();
  if (successor == 0) return succeed(fake, predecessor);
  while (fake.fault == "lingers") ::pause();
  std::_Exit(fake.fault == "ends_with_3" ? 3 : 0);
}

void serve(Fake& fake, const sigset_t& awake) {
  while (stop_wanted == 0) {
    if (upgrade_wanted != 0) upgrade(fake);
    std::vector<pollfd> polled{{fake.admin, POLLIN, 0}, {fake.listener, POLLIN, 0}};
    for (const Pair& pair : fake.pairs) {
      polled.push_back({pair.client, POLLIN, 0});
      polled.push_back({pair.upstream, POLLIN, 0});
    }
    if (::ppoll(polled.data(), polled.size(), nullptr, &awake) < 0) continue;
    for (std::size_t i = fake.pairs.size(); i-- > 0;) {
      const Pair pair = fake.pairs[i];
      const bool open = (polled[2 + 2 * i].revents == 0 || relay(fake, pair.client, pair.upstream, false)) &&
                        (polled[3 + 2 * i].revents == 0 || relay(fake, pair.upstream, pair.client, true));
      if (open) continue;
      close_pair(pair);
      fake.pairs.erase(fake.pairs.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (polled[0].revents != 0) answer_admin(fake);
    if (polled[1].revents != 0) accept_client(fake);
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) die("usage: fake_baton run -c FILE");
  const char* fault = std::getenv("FAKE_BATON_FAULT");
  Fake fake{.fault = fault == nullptr ? "" : fault, .settings = read_settings(arguments[3])};
  if (fake.fault == "does_not_start") die("listeners.yaml:1:1: nothing here is right");

  // Signals come only while we wait, so none is missed between a look at the flags and the wait.
  sigset_t blocked;
  sigset_t awake;
  sigemptyset(&blocked);
  for (const int signal : {SIGUSR2, SIGTERM}) sigaddset(&blocked, signal);
  sigprocmask(SIG_BLOCK, &blocked, &awake);
  std::signal(SIGUSR2, [](int) { upgrade_wanted = 1; });
  std::signal(SIGTERM, [](int) { stop_wanted = 1; });

  listen_on(fake);
  write_pid_file(fake);
  serve(fake, awake);
  return 0;
}
