#include "demo/proxy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <utility>

#include "clients/dialogue.hpp"
#include "demo/process.hpp"

namespace baton::demo {

using boost::asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

constexpr auto admin_limit = 1s;
constexpr unsigned threads = 2;

bool has_ended(pid_t pid) {
  return ::kill(pid, 0) != 0 && errno == ESRCH;
}

std::string configuration(const Endpoints& listen, const Endpoints& origin, const CertificateFiles& files,
                          const TempDir& dir) {
  // The timeouts leave idle clients, half heads and streams alone for as long as any demo lasts; streams and tunnels
  // are moved mid-stream, soon after the signal. Raw TCP with TLS has it on both sides, HTTP with TLS before a plain
  // origin.
  return fmt::format(
      "version: 1\n"
      "workers: {}\n"
      "listeners:\n"
      "  - name: demo\n"
      "    bind: 127.0.0.1:{}\n"
      "    protocol: http\n"
      "  - name: tcp\n"
      "    bind: 127.0.0.1:{}\n"
      "    protocol: tcp\n"
      "    upstream: echo\n"
      "  - name: demo_tls\n"
      "    bind: 127.0.0.1:{}\n"
      "    protocol: http\n"
      "    tls: {{ certificates: [ {{ cert: {}, key: {} }} ], alpn: [ h2, http/1.1 ] }}\n"
      "  - name: tcp_tls\n"
      "    bind: 127.0.0.1:{}\n"
      "    protocol: tcp\n"
      "    upstream: echo_tls\n"
      "    tls: {{ certificates: [ {{ cert: {}, key: {} }} ] }}\n"
      "routes:\n"
      "  - {{ match: {{ path_prefix: {} }}, upstream: origin_http2 }}\n"
      "  - upstream: origin\n"
      "upstreams:\n"
      "  - name: origin\n"
      "    servers:\n"
      "      - address: 127.0.0.1:{}\n"
      "  - name: origin_http2\n"
      "    protocol: http2\n"
      "    servers:\n"
      "      - address: 127.0.0.1:{}\n"
      "  - name: echo\n"
      "    servers:\n"
      "      - address: 127.0.0.1:{}\n"
      "  - name: echo_tls\n"
      "    servers:\n"
      "      - address: 127.0.0.1:{}\n"
      "    tls: {{ ca: {} }}\n"
      "timeouts:\n"
      "  head: 60m\n"
      "  body: 60m\n"
      "  send: 60m\n"
      "  idle: 60m\n"
      "  response: 60m\n"
      "handoff:\n"
      "  socket: {}\n"
      "  finish_timeout: 300ms\n"
      "  survive: all\n"
      "admin:\n"
      "  bind: unix:{}\n"
      "pid_file: {}\n",
      threads, listen.http.port(), listen.tcp.port(), listen.tls_http.port(), files.certificate, files.key,
      listen.tls_tcp.port(), files.certificate, files.key, clients::grpc_prefix, origin.http.port(), origin.http.port(),
      origin.tcp.port(), origin.tls_tcp.port(), files.certificate, dir.file("handoff.sock"), dir.file("admin.sock"),
      dir.file("baton.pid"));
}

}  // namespace

Endpoints free_endpoints() {
  boost::asio::io_context context{1};
  const tcp::endpoint anywhere(boost::asio::ip::address_v4::loopback(), 0);
  const tcp::acceptor http(context, anywhere);
  const tcp::acceptor raw(context, anywhere);
  const tcp::acceptor tls_http(context, anywhere);
  const tcp::acceptor tls_raw(context, anywhere);
  return {http.local_endpoint(), raw.local_endpoint(), tls_http.local_endpoint(), tls_raw.local_endpoint()};
}

Proxy::Proxy(std::string binary, const Origin& origin, const TempDir& dir, Patience& patience)
    : dir_(dir), patience_(patience), endpoints_(free_endpoints()) {
  const std::string file = dir.file("baton.yaml");
  std::ofstream(file) << configuration(endpoints_, origin.endpoints(), store(origin.certificate(), dir.file("tls")), dir);
  parent_ = start_process({std::move(binary), "run", "--supervise", "-c", file}, log());
}

void Proxy::await_ready(std::chrono::milliseconds limit) {
  const bool ready = patience_.wait_until(
      [this] {
        if (const auto ended = reap(parent_)) {
          throw ProxyFailed("the proxy ended before it was ready: " + describe_end(*ended));
        }
        const auto answer = admin_get(dir_.file("admin.sock"), "/readyz", admin_limit);
        return answer && answer->status == 200;
      },
      limit);
  if (!ready) throw ProxyFailed("the proxy is not ready: no 200 from /readyz on its admin socket");
  if (const std::string wrong = complaint_about_parent(); !wrong.empty()) throw ProxyFailed(wrong);
  status();
}

Status Proxy::status() {
  std::optional<Status> found;
  patience_.wait_until([&] { return (found = try_status()).has_value(); }, hung_after);
  if (!found) throw ProxyFailed("the proxy does not answer /status on its admin socket");
  note(*found);
  return *found;
}

Upgrade Proxy::upgrade(std::chrono::milliseconds limit) {
  const Status before = status();
  Upgrade upgrade{.from_generation = before.generation, .from_pid = before.pid};
  ::kill(parent_, SIGUSR2);
  std::string missing = "the old process did not end";
  bool end = false;
  const auto settled = [&] {
    end = end || has_ended(upgrade.from_pid);
    const std::optional<Status> now = try_status();
    if (!end) {
      // The old process reports its own upgrade only if it failed.
      if (!now || now->pid != upgrade.from_pid || !now->last_upgrade) return false;
      if (now->last_upgrade->from_pid != upgrade.from_pid || now->last_upgrade->result == "completed") return false;
      upgrade.report = *now->last_upgrade;
      return true;
    }
    missing = "the successor does not answer on the admin socket";
    if (!now) return false;
    note(*now);
    upgrade.to_pid = now->pid;
    upgrade.report = now->last_upgrade.value_or(UpgradeReport{});
    return true;
  };
  if (!patience_.wait_until(settled, limit)) {
    upgrade.failure = missing + fmt::format(" within {} s", std::chrono::duration<double>(limit).count());
  } else if (!end) {
    upgrade.failure = "the old process reports: " + upgrade.report.result;
  } else {
    // The old process ends last, so its successor has finished everything by now.
    upgrade.failure = complaint_about_successor(upgrade);
    if (upgrade.failure.empty()) upgrade.failure = complaint_about_parent();
  }
  return upgrade;
}

Crash Proxy::kill(std::chrono::milliseconds limit) {
  const Status before = status();
  Crash crash{.from_pid = before.pid, .connections = before.connections, .threads = threads};
  const std::uint64_t accepted_before = accepted_;
  if (!patience_.wait_until([&] { return is_instance_for_its_parent(before.pid); }, limit)) {
    crash.failure = fmt::format("the log does not say that {} is the instance", before.pid);
    return crash;
  }
  ::kill(before.pid, SIGKILL);
  const auto settled = [&] {
    const std::optional<Status> now = try_status();
    if (!now || now->pid == before.pid) return false;
    note(*now);
    accepted_untold_ = accepted_before - std::min(accepted_before, now->accepted_total);
    crash.to_pid = now->pid;
    crash.stall_ms = now->crashes.stall_us / 1000;
    if (now->generation != before.generation + 1) {
      crash.failure = fmt::format("the generation is {} after {}", now->generation, before.generation);
    } else if (now->crashes.pid != before.pid) {
      crash.failure = fmt::format("the successor does not report the death of {}", before.pid);
    }
    return true;
  };
  if (!patience_.wait_until(settled, limit)) crash.failure = "no successor answers on the admin socket";
  if (crash.failure.empty()) crash.failure = complaint_about_parent();
  return crash;
}

bool Proxy::is_instance_for_its_parent(pid_t pid) const {
  const std::string line = fmt::format("supervisor: PID {} is the instance", pid);
  return std::ranges::any_of(tail(log(), 100), [&](const std::string& one) { return one.contains(line); });
}

std::string Proxy::complaint_about_parent() {
  if (const auto end = reap(parent_)) return "the proxy ended with " + describe_end(*end);
  if (const auto named = read_pid_file(); named != parent_) {
    return fmt::format("the PID file names {}, but {} was started", named.value_or(0), parent_);
  }
  return {};
}

std::string Proxy::complaint_about_successor(const Upgrade& upgrade) const {
  if (upgrade.to_pid == upgrade.from_pid) return "the admin socket still names the old process";
  if (generation_ != upgrade.from_generation + 1) {
    return fmt::format("the generation is {} after {}", generation_, upgrade.from_generation);
  }
  const UpgradeReport& report = upgrade.report;
  if (report.result != "completed" || report.from_pid != upgrade.from_pid || report.to_pid != upgrade.to_pid) {
    return fmt::format("the successor does not report a completed upgrade from {} to {}", upgrade.from_pid,
                       upgrade.to_pid);
  }
  return {};
}

std::string Proxy::stop(std::chrono::milliseconds limit) {
  ::kill(parent_, SIGTERM);
  std::optional<int> end;
  if (!patience_.wait_until([&] { return (end = reap(parent_)).has_value(); }, limit)) {
    return "the proxy did not end after SIGTERM";
  }
  return *end == 0 ? std::string() : "the proxy ended after SIGTERM with " + describe_end(*end);
}

std::optional<Status> Proxy::try_status() const {
  const auto answer = admin_get(dir_.file("admin.sock"), "/status", admin_limit);
  if (!answer || answer->status != 200) return std::nullopt;
  try {
    return parse_status(answer->body);
  } catch (const std::runtime_error& error) {
    throw ProxyFailed(error.what());
  }
}

std::optional<pid_t> Proxy::read_pid_file() const {
  std::ifstream file(dir_.file("baton.pid"));
  pid_t pid = 0;
  if (!(file >> pid) || pid <= 1) return std::nullopt;
  return pid;
}

void Proxy::note(const Status& status) {
  pid_ = status.pid;
  generation_ = status.generation;
  accepted_ = status.accepted_total + accepted_untold_;
}

}  // namespace baton::demo
