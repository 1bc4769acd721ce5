#include "demo/proxy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <utility>

#include "demo/canary_marks.hpp"
#include "demo/process.hpp"
#include "demo/proxy_configuration.hpp"

namespace baton::demo {

using boost::asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

constexpr auto admin_limit = 1s;

bool has_ended(pid_t pid) {
  return ::kill(pid, 0) != 0 && errno == ESRCH;
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

Proxy::Proxy(std::string binary, const Origin& origin, const TempDir& dir, Patience& patience,
             const std::optional<PageDoors>& page)
    : dir_(dir),
      patience_(patience),
      settings_{.listen = free_endpoints(),
                .origin = origin.endpoints(),
                .certificate = store(origin.certificate(), dir.file("tls")),
                .handoff_socket = dir.file("handoff.sock"),
                .admin_socket = dir.file("admin.sock"),
                .pid_file = dir.file("baton.pid"),
                .page = page},
      binary_(std::move(binary)) {
  write_configuration();
  parent_ = start_process({binary_, "run", "--supervise", "-c", dir.file("baton.yaml")}, log());
}

void Proxy::write_configuration() const {
  std::ofstream(dir_.file("baton.yaml")) << configuration(settings_);
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
  ::kill(parent_, SIGUSR2);
  return watch_upgrade(before, limit);
}

Upgrade Proxy::upgrade_to(const Version& version, std::chrono::milliseconds limit) {
  const Status before = status();
  const ProxySettings running = settings_;
  settings_.page.value().colour = version.colour;
  write_configuration();
  if (ctl_upgrade({"--binary", version.binary}, limit)) return watch_upgrade(before, limit);
  settings_ = running;
  write_configuration();
  Upgrade failed{.from_generation = before.generation, .from_pid = before.pid};
  failed.report = status().last_upgrade.value_or(UpgradeReport{});
  failed.failure = failed.report.reason.empty() ? "`baton ctl upgrade` failed" : failed.report.reason;
  return failed;
}

FailedUpgrade Proxy::fail_upgrade_to(const Version& version, std::chrono::milliseconds limit) {
  const Status before = status();
  boost::asio::io_context context{1};
  const tcp::acceptor taken(context, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  const ProxySettings running = settings_;
  settings_.page.value().colour = version.colour;
  settings_.unusable = taken.local_endpoint();
  write_configuration();
  const bool completed = ctl_upgrade({"--binary", version.binary}, limit);
  settings_ = running;
  write_configuration();
  return failed_as_meant(before, completed);
}

FailedUpgrade Proxy::try_canary(std::chrono::milliseconds limit) {
  const Status before = status();
  // No other process can bind it, and nothing listens there.
  boost::asio::io_context context{1};
  const tcp::socket absent(context, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  const ProxySettings running = settings_;
  settings_.faulty = Faulty{.absent = absent.local_endpoint(), .page_path = dir_.file("canary.txt")};
  std::ofstream(settings_.faulty->page_path) << canary_page;
  write_configuration();
  const std::string at_most = fmt::format("{}s", canary_decided_within.count());
  const bool completed =
      ctl_upgrade({"--canary", fmt::format("{}%", canary_share_percent), "--bake", at_most, "--max", at_most},
                  canary_decided_within + limit);
  settings_ = running;
  write_configuration();
  return failed_as_meant(before, completed);
}

FailedUpgrade Proxy::failed_as_meant(const Status& before, bool completed) {
  const Status now = status();
  FailedUpgrade failed{.pid = now.pid, .connections = now.connections};
  failed.report = now.last_upgrade.value_or(UpgradeReport{});
  if (completed) {
    failed.failure = "it completed, although it had to fail";
  } else if (now.pid != before.pid || now.generation != before.generation) {
    failed.failure = fmt::format("PID {} serves now, not {}", now.pid, before.pid);
  } else if (failed.report.from_pid != before.pid || failed.report.result == "completed") {
    failed.failure = fmt::format("PID {} does not report it", before.pid);
  } else {
    failed.failure = complaint_about_parent();
  }
  return failed;
}

bool Proxy::ctl_upgrade(const std::vector<std::string>& options, std::chrono::milliseconds limit) {
  std::vector<std::string> arguments{binary_, "ctl", "upgrade", "-c", dir_.file("baton.yaml")};
  arguments.insert(arguments.end(), options.begin(), options.end());
  const pid_t ctl = start_process(arguments, dir_.file("ctl.log"));
  std::optional<int> end;
  if (!patience_.wait_until([&] { return (end = reap(ctl)).has_value(); }, limit)) {
    throw ProxyFailed(
        fmt::format("`baton ctl upgrade` did not end within {} s", std::chrono::duration<double>(limit).count()));
  }
  return *end == 0;
}

Upgrade Proxy::watch_upgrade(const Status& before, std::chrono::milliseconds limit) {
  Upgrade upgrade{.from_generation = before.generation, .from_pid = before.pid};
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
  Crash crash{.from_pid = before.pid, .connections = before.connections, .threads = proxy_threads};
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
