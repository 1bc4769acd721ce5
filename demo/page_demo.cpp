#include "demo/page_demo.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <vector>

#include "demo/load.hpp"
#include "demo/nginx_beside.hpp"
#include "demo/origin.hpp"
#include "demo/page_server.hpp"
#include "demo/page_view.hpp"
#include "demo/patience.hpp"
#include "demo/process.hpp"
#include "demo/promise.hpp"
#include "demo/proxy.hpp"
#include "demo/scoreboard.hpp"
#include "demo/temp_dir.hpp"
#include "demo/verdict.hpp"

namespace baton::demo {

using boost::asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

constexpr std::uint16_t usual_port = 8088;
constexpr auto publish_pause = 150ms;
constexpr double first_upgrade_after = 0.4;   // of the time between two
constexpr unsigned one_of_so_many_fails = 3;  // of the upgrades that run by themselves
constexpr std::size_t events_max = 5;

bool is_free(const tcp::endpoint& endpoint) {
  boost::asio::io_context context{1};
  tcp::acceptor acceptor(context);
  boost::system::error_code error;
  acceptor.open(endpoint.protocol(), error);
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(1, error);
  return !error;
}

std::uint16_t some_port(const boost::asio::ip::address& address) {
  if (is_free({address, usual_port})) return usual_port;
  boost::asio::io_context context{1};
  return tcp::acceptor(context, tcp::endpoint(address, 0)).local_endpoint().port();
}

// A build of Baton that differs from the usual one in its version only. It lies beside this program where that was
// built; installed, the same program plays both versions, with two configurations.
Version other_version(const Version& first) {
  const auto beside = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "baton-green";
  return {.colour = "green", .binary = ::access(beside.c_str(), X_OK) == 0 ? beside.string() : first.binary};
}

// Members are destroyed last to first: clients, servers, every process, every file.
class PageDemo {
 public:
  PageDemo(const Options& options, std::ostream& out);
  int run();

 private:
  void start();
  void start_nginx();
  void play();
  void upgrade();
  void failing_upgrade();
  void ignore_repetition();
  void finish();
  int judge();
  void refresh();
  void note(PageEvent event);
  void look_at_status();
  void take_losses();
  PageView view() const;

  Options options_;
  std::ostream& out_;  // outlives it
  std::array<Mix, transports> mix_;
  Patience patience_;
  TempDir dir_;
  Household household_;
  Origin origin_;
  PageServer server_;
  Tally tally_;
  std::array<Version, 2> versions_;
  std::size_t serving_ = 0;  // of the versions
  std::unique_ptr<Proxy> proxy_;
  std::unique_ptr<Load> load_;
  std::unique_ptr<NginxBeside> nginx_;

  Evidence evidence_;
  PageView view_;  // what changes seldom
  LastSecond last_second_;
  MeanRate mean_rate_;
  Clock::time_point next_upgrade_{};
  Clock::time_point next_publish_{};
  std::optional<std::uint64_t> live_before_end_;  // connections
  unsigned unasked_ = 0;                          // upgrades that ran by themselves
};

PageDemo::PageDemo(const Options& options, std::ostream& out)
    : options_(options),
      out_(out),
      mix_(mix_by_transport(options.clients, options.requests_per_second)),
      versions_{Version{.colour = "blue", .binary = options.binary}, other_version({.binary = options.binary})} {
  const unsigned newcomers = newcomers_per_second(mix_);
  const std::size_t files = allow_open_files(files_wanted(clients(mix_), newcomers));
  if (const unsigned possible = clients_possible(clients(mix_), newcomers, files); possible < clients(mix_)) {
    view_.few_clients = fmt::format("this machine allows {} open files (ulimit -Hn), enough for {} of {} clients",
                                    files, possible, clients(mix_));
    mix_ = mix_by_transport(possible, options.requests_per_second);
  }
  view_.clients_wanted = options.clients;
  view_.requests_per_second_wanted = options.requests_per_second;
  view_.colour = versions_[serving_].colour;
  view_.doing = "starting";
  server_.publish(to_json(view()));  // a page may be there already, of another demo
}

int PageDemo::run() {
  try {
    start();
    play();
  } catch (const ProxyFailed& failure) {
    evidence_.broken_off = std::string("The demo was broken off: ") + failure.what() + ".";
  } catch (const Interrupted& interrupted) {
    const bool is_usual_end = interrupted.signal == SIGINT || interrupted.signal == SIGTERM;
    if (!is_usual_end || !load_) throw;
    ignore_repetition();
    out_ << std::endl;
  }
  finish();
  return judge();
}

void PageDemo::start() {
  const tcp::endpoint listen = page_endpoint(*options_.page);
  const PageDoors doors{.listen = listen, .server = server_.endpoint(), .colour = versions_[serving_].colour};
  proxy_ = std::make_unique<Proxy>(options_.binary, origin_, dir_, patience_, doors);
  proxy_->await_ready(hung_after);
  look_at_status();
  const auto& host = listen.address();
  out_ << fmt::format("Open http://{}:{}/  (Ctrl-C ends the demo)\n",
                      host.is_unspecified() ? "127.0.0.1"
                      : host.is_v6()        ? "[" + host.to_string() + "]"
                                            : host.to_string(),
                      listen.port());
  out_ << fmt::format("{} clients of every kind, plain and over TLS, ask {} times per second beside it.\n",
                      clients(mix_), options_.requests_per_second);
  if (!view_.few_clients.empty()) out_ << "Note: " << view_.few_clients << ".\n";
  out_ << std::flush;
  patience_.while_waiting([this] { refresh(); });
  load_ = std::make_unique<Load>(crowds(mix_, make_entrances(proxy_->endpoints(), origin_.certificate())), tally_);
  last_second_.sample(Clock::now(), {});
  view_.doing = "every client connects";
  start_nginx();
  patience_.wait_until([this] { return tally_.lasting_opened() >= clients(mix_); }, hung_after);
  mean_rate_.begin(Clock::now(), tally_.latency().count());
}

void PageDemo::start_nginx() {
  const auto program = find_nginx();
  if (options_.no_nginx) {
    view_.no_nginx = "nginx is left out (--no-nginx).";
  } else if (!program) {
    view_.no_nginx = no_nginx_found();
  } else {
    try {
      nginx_ = std::make_unique<NginxBeside>(*program, origin_.endpoints().http, dir_, patience_);
      return;
    } catch (const std::runtime_error& error) {
      view_.no_nginx = fmt::format("There is no comparison with nginx: {}.", error.what());
    }
  }
  out_ << view_.no_nginx << std::endl;
}

void PageDemo::play() {
  const auto begin = Clock::now();
  const auto end = options_.page_seconds ? begin + from_seconds(*options_.page_seconds) : Clock::time_point::max();
  next_upgrade_ = begin + from_seconds(first_upgrade_after * options_.seconds_between_upgrades);
  while (Clock::now() < end) {
    view_.doing = "serving";
    const auto due = [&] { return server_.has_command() || Clock::now() >= std::min(next_upgrade_, end); };
    if (!patience_.wait_until(due, 1h)) continue;
    std::optional<Asked> command = server_.take_command();
    if (!command && Clock::now() < next_upgrade_) continue;
    if (!command) command = ++unasked_ % one_of_so_many_fails == 0 ? Asked::failing_upgrade : Asked::upgrade;
    view_.busy = true;
    if (*command == Asked::upgrade) {
      upgrade();
    } else {
      failing_upgrade();
    }
    view_.busy = false;
    next_upgrade_ = Clock::now() + from_seconds(options_.seconds_between_upgrades);
  }
}

void PageDemo::upgrade() {
  const Version& next = versions_[1 - serving_];
  const std::string before = fmt::format("{} {}", view_.colour, view_.version);
  view_.doing = fmt::format("upgrade from {} to {}", view_.colour, next.colour);
  if (nginx_) nginx_->reload();
  const LatencySpread latency_before = tally_.latency();
  Upgrade upgrade = proxy_->upgrade_to(next, from_seconds(options_.upgrade_timeout_seconds));
  upgrade.latency = tally_.latency().since(latency_before);
  load_->upgrade_passed();
  if (upgrade.failure.empty()) {
    serving_ = 1 - serving_;
    ++view_.upgrades;
    look_at_status();
    const UpgradeReport& report = upgrade.report;
    note({.kind = PageEvent::Kind::upgrade,
          .colour = view_.colour,
          .heading = fmt::format("Upgrade {}: {} to {} {}", view_.upgrades, before, view_.colour, view_.version),
          .detail = fmt::format(
              "PID {} to {}; {} connections moved in {:.0f} ms; each stood still for at most {:.1f} ms",
              upgrade.from_pid, upgrade.to_pid, report.moved_total, report.duration_ms, report.pause_us.max / 1000)});
  } else {
    note({.kind = PageEvent::Kind::failed,
          .colour = view_.colour,
          .heading = "An upgrade failed that should not have",
          .detail = upgrade.failure});
  }
  evidence_.upgrades.push_back(std::move(upgrade));
}

void PageDemo::failing_upgrade() {
  const Version& next = versions_[1 - serving_];
  view_.doing = fmt::format("upgrade from {} to {}, which will fail", view_.colour, next.colour);
  const FailedUpgrade failed = proxy_->fail_upgrade_to(next, from_seconds(options_.upgrade_timeout_seconds));
  if (!failed.failure.empty()) evidence_.other.push_back(fmt::format("A failing upgrade: {}.", failed.failure));
  look_at_status();
  if (failed.failure.empty()) {
    ++view_.came_back;
    note({.kind = PageEvent::Kind::came_back,
          .colour = view_.colour,
          .heading = fmt::format("A failing upgrade to {}: {} {} goes on", next.colour, view_.colour, view_.version),
          .detail = fmt::format("PID {} was started and failed: {}. PID {} serves all {} connections as before",
                                failed.report.to_pid, failed.report.reason, failed.pid, failed.connections)});
  } else {
    note({.kind = PageEvent::Kind::failed,
          .colour = view_.colour,
          .heading = "A failing upgrade went wrong",
          .detail = failed.failure});
  }
}

// `timeout` signals a process and then its group.
void PageDemo::ignore_repetition() {
  try {
    patience_.wait(300ms);
  } catch (const Interrupted&) {
  }
}

// Clients that get no answer report it after `hung_after`.
void PageDemo::finish() {
  if (!load_) return;
  view_.busy = true;
  view_.doing = "every client asks once more";
  live_before_end_ = tally_.totals().live();
  load_->finish();
  patience_.wait_until([this] { return load_->unfinished() == 0; }, 2 * hung_after);
  take_losses();
  evidence_.clients = tally_.by_group();
}

int PageDemo::judge() {
  const auto until_verdict = objections(evidence_);
  view_.passed = until_verdict.empty();
  const Totals all = sum(evidence_.clients);
  const std::uint64_t newcomers = sum(evidence_.clients, Kind::newcomer).proven;
  const std::string course =
      fmt::format("{} upgrades, and {} meant to fail; {} connections lived through all of them, {} came meanwhile.",
                  view_.upgrades, view_.came_back, all.started - std::min(all.started, newcomers), newcomers);
  view_.verdict = view_.passed ? "PASSED: nothing was dropped. " + course : "FAILED: " + until_verdict.front();
  patience_.while_waiting({});
  server_.end(to_json(view()));
  // Pages end their streams, and so the proxy has nothing to wait for.
  patience_.wait_until([this] { return server_.streams() == 0; }, 2s);
  if (evidence_.broken_off.empty()) evidence_.bad_end = proxy_->stop(2 * hung_after);

  const auto against = objections(evidence_);
  if (against.empty()) {
    out_ << "PASSED: nothing was dropped.\n  " << course << '\n';
  } else {
    out_ << "FAILED:\n";
    for (const std::string& objection : against) out_ << "  " << objection << '\n';
    for (const std::string& complaint : tally_.complaints()) out_ << "    " << complaint << '\n';
  }
  if (load_) {
    for (const std::string& row : kinds_table(evidence_.clients)) out_ << row << '\n';
  }
  if (!view_.shortfall.empty()) out_ << "But " << view_.shortfall << ".\n";
  if (nginx_) {
    const BesideView nginx = nginx_->view();
    out_ << fmt::format("{} closed {} of its clients' connections in {} reloads.\n", nginx.version, nginx.cut,
                        nginx.reloads);
  }
  if (!against.empty() && proxy_) {
    out_ << "The proxy's last log lines:\n";
    for (const std::string& line : tail(proxy_->log(), 20)) out_ << "    " << line << '\n';
  }
  out_ << std::flush;
  return against.empty() ? 0 : 1;
}

void PageDemo::refresh() {
  const auto now = Clock::now();
  if (now < next_publish_) return;
  next_publish_ = now + publish_pause;
  last_second_.sample(now, tally_.latency());
  if (nginx_) nginx_->tend(now);
  take_losses();
  view_.shortfall = shortfall(mean_rate_.at(now, tally_.latency().count()), options_.requests_per_second);
  server_.publish(to_json(view()));
}

void PageDemo::take_losses() {
  for (const std::string& loss : server_.take_losses()) {
    ++view_.dropped_by_pages;
    evidence_.other.push_back(fmt::format("A page reports: {}.", loss));
    out_ << "A page reports: " << loss << std::endl;
  }
}

void PageDemo::note(PageEvent event) {
  out_ << event.heading << "\n  " << event.detail << std::endl;
  view_.events.push_front(std::move(event));
  if (view_.events.size() > events_max) view_.events.pop_back();
}

void PageDemo::look_at_status() {
  const Status status = proxy_->status();
  view_.colour = versions_[serving_].colour;
  view_.version = status.version;
  view_.pid = status.pid;
  view_.generation = status.generation;
}

PageView PageDemo::view() const {
  PageView view = view_;
  view.clients = tally_.totals();
  view.live = live_before_end_.value_or(view.clients.live());
  view.requests_per_second = last_second_.requests_per_second();
  view.p99 = last_second_.latency().at(0.99);
  view.next_upgrade_seconds = std::max(0.0, std::chrono::duration<double>(next_upgrade_ - Clock::now()).count());
  if (nginx_) view.nginx = nginx_->view();
  return view;
}

}  // namespace

tcp::endpoint page_endpoint(std::string_view text) {
  const auto wrong = [text] { return std::runtime_error(fmt::format("`{}` is not an address of --page", text)); };
  std::string_view host = text;
  std::optional<std::uint16_t> port;
  const bool is_number = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  const std::size_t colon = text.rfind(':');
  if (is_number || (colon != std::string_view::npos && (text.find(':') == colon || text[colon - 1] == ']'))) {
    const std::string_view digits = is_number ? text : text.substr(colon + 1);
    host = is_number ? "" : text.substr(0, colon);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port.emplace());
    if (error != std::errc() || end != digits.data() + digits.size() || *port == 0) throw wrong();
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || host == "localhost") host = "127.0.0.1";
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  if (error) throw wrong();
  return {address, port ? *port : some_port(address)};
}

int run_page(const Options& options, std::ostream& out) {
  return PageDemo(options, out).run();
}

}  // namespace baton::demo
