#include "demo/demo.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include "demo/canary.hpp"
#include "demo/canary_marks.hpp"
#include "demo/certificate.hpp"
#include "demo/contrast.hpp"
#include "demo/load.hpp"
#include "demo/nginx.hpp"
#include "demo/origin.hpp"
#include "demo/page_demo.hpp"
#include "demo/patience.hpp"
#include "demo/process.hpp"
#include "demo/promise.hpp"
#include "demo/proxy.hpp"
#include "demo/scoreboard.hpp"
#include "demo/socket_client.hpp"
#include "demo/temp_dir.hpp"
#include "demo/verdict.hpp"

namespace baton::demo {

using namespace std::chrono_literals;

namespace {

// The whole demo. Members are destroyed last to first: clients, origin, every process, every file.
class Demo {
 public:
  Demo(const Options& options, std::ostream& out, Display display);
  int run();

 private:
  void play();
  void upgrade_once(unsigned number);
  void kill_once();
  void try_canary();
  void finish();
  void contrast();
  int judge();
  void refresh();
  View view() const;
  Plan& plan() { return *evidence_.plan; }
  std::uint64_t lasting() const;
  unsigned clients() const { return demo::clients(mix_); }
  unsigned newcomers_per_second() const { return demo::newcomers_per_second(mix_); }

  Options options_;
  std::array<Mix, transports> mix_;
  Scoreboard scoreboard_;
  Patience patience_;
  TempDir dir_;
  Household household_;
  Origin origin_;
  Tally tally_;
  std::unique_ptr<Proxy> proxy_;
  std::unique_ptr<Load> load_;
  std::unique_ptr<Askers> askers_;

  Evidence evidence_{.plan = Plan{}};
  std::string doing_ = "starting";
  LastSecond last_second_;
  MeanRate mean_rate_;
  std::string few_files_;  // how the clients fall short of the promised ones
  std::optional<View> last_frame_;
  Clock::time_point next_show_{};
};

Demo::Demo(const Options& options, std::ostream& out, Display display)
    : options_(options),
      mix_(mix_by_transport(options.clients, options.requests_per_second)),
      scoreboard_(out, display) {
  const std::size_t files = allow_open_files(files_wanted(clients(), newcomers_per_second()));
  if (const unsigned possible = clients_possible(clients(), newcomers_per_second(), files); possible < clients()) {
    few_files_ = fmt::format("note: this machine allows {} open files (ulimit -Hn), enough for {} of the {} clients",
                             files, possible, clients());
    options_.clients = possible;
    mix_ = mix_by_transport(possible, options.requests_per_second);
  }
  plan().upgrades_wanted = options.upgrades;
}

int Demo::run() {
  scoreboard_.say(fmt::format("baton demo: {} clients of {} kinds, plain and over TLS, none ever reconnects;",
                              clients(), kinds - 1));
  scoreboard_.say(fmt::format("{} more every second, each for one request; {} live upgrades, one SIGKILL",
                              newcomers_per_second(), options_.upgrades));
  scoreboard_.say("and a faulty successor that a share of the clients tries; the proxy is");
  scoreboard_.say(fmt::format("  {}", options_.binary));
  if (!few_files_.empty()) scoreboard_.say(few_files_);
  try {
    play();
  } catch (const ProxyFailed& failure) {
    evidence_.broken_off = std::string("The demo was broken off: ") + failure.what() + ".";
  }
  evidence_.clients = tally_.by_group();
  if (askers_) plan().canary->asked = askers_->seen();
  if (proxy_) plan().accepted = proxy_->accepted();
  const int code = judge();
  if (code == 0 && !options_.no_nginx) contrast();
  return code;
}

void Demo::play() {
  proxy_ = std::make_unique<Proxy>(options_.binary, origin_, dir_, patience_);
  proxy_->await_ready(hung_after);
  const Endpoints& doors = proxy_->endpoints();
  scoreboard_.say(fmt::format("127.0.0.1:{} (HTTP), :{} (TCP), and with TLS :{} (HTTP), :{} (TCP) lead to a",
                              doors.http.port(), doors.tcp.port(), doors.tls_http.port(), doors.tls_tcp.port()));
  scoreboard_.say("built-in origin; every byte is verified");
  load_ = std::make_unique<Load>(crowds(mix_, make_entrances(proxy_->endpoints(), origin_.certificate())), tally_);
  last_second_.sample(Clock::now(), {});
  next_show_ = Clock::now() + scoreboard_.interval();
  patience_.while_waiting([this] { refresh(); });
  doing_ = "warming up";
  patience_.wait_until([this] { return tally_.lasting_opened() >= clients(); }, hung_after);
  mean_rate_.begin(Clock::now(), tally_.latency().count());
  patience_.wait(std::min(from_seconds(options_.seconds_between_upgrades), 1000ms));

  for (unsigned number = 1; number <= options_.upgrades; ++number) {
    upgrade_once(number);
    if (!evidence_.upgrades.back().failure.empty()) break;
    doing_ = fmt::format("{} of {} upgrades done", number, options_.upgrades);
    patience_.wait(from_seconds(options_.seconds_between_upgrades));
  }
  if (evidence_.upgrades.empty() || evidence_.upgrades.back().failure.empty()) kill_once();
  if (plan().crash && plan().crash->failure.empty()) try_canary();
  finish();
}

void Demo::upgrade_once(unsigned number) {
  doing_ = fmt::format("upgrade {} of {} is running", number, options_.upgrades);
  const LatencySpread before = tally_.latency();
  Upgrade upgrade = proxy_->upgrade(from_seconds(options_.upgrade_timeout_seconds));
  upgrade.latency = tally_.latency().since(before);
  load_->upgrade_passed();
  evidence_.upgrades.push_back(std::move(upgrade));
}

// A crash ends TLS handshakes that are under way, so no newcomer connects during the kill.
void Demo::kill_once() {
  doing_ = "the serving process is killed by SIGKILL";
  load_->rest(true);
  patience_.wait_until([this] { return load_->at_rest(); }, hung_after);
  tally_.note_crash(true);
  plan().crash = proxy_->kill(from_seconds(options_.upgrade_timeout_seconds));
  load_->ask();
  patience_.wait_until([this] { return load_->silent() == 0; }, 2 * hung_after);
  tally_.note_crash(false);
  load_->rest(false);
  doing_ = "its successor serves";
  patience_.wait(from_seconds(options_.seconds_between_upgrades));
}

void Demo::try_canary() {
  Canary& canary = plan().canary.emplace();
  doing_ = fmt::format("{} more clients connect, each from an address of its own", Askers::number);
  askers_ = std::make_unique<Askers>(Entrance{proxy_->endpoints().http, nullptr});
  patience_.wait_until([this] { return askers_->seen().totals.answered >= Askers::number; }, hung_after);
  doing_ = fmt::format("a canary: {}% of clients try a successor that fails 1 request in {}",
                       Proxy::canary_share_percent, asked_for_each_failure);
  canary.upgrade = proxy_->try_canary(from_seconds(options_.upgrade_timeout_seconds));
  doing_ = "the canary is over";
  // Those that have come back are counted soon.
  patience_.wait_until(
      [&] {
        canary.lasting = lasting();
        canary.upgrade.connections = proxy_->status().connections;
        return canary.upgrade.connections >= canary.lasting;
      },
      from_seconds(options_.upgrade_timeout_seconds));
  patience_.wait(std::min(from_seconds(options_.seconds_between_upgrades), 1000ms));
}

std::uint64_t Demo::lasting() const {
  const TotalsByGroup clients = tally_.by_group();
  return sum(clients).live() - sum(clients, Kind::newcomer).live() + askers_->seen().totals.live();
}

void Demo::finish() {
  last_frame_ = view();
  doing_ = "every client asks once more";
  load_->finish();
  if (askers_) askers_->finish();
  // Clients that get no answer report it after `hung_after`.
  patience_.wait_until([this] { return load_->unfinished() + (askers_ ? askers_->unfinished() : 0) == 0; },
                       2 * hung_after);
  doing_ = "every client has ended";
  if (!plan().crash || !plan().crash->failure.empty()) return;
  proxy_->status();
  evidence_.bad_end = proxy_->stop(hung_after);
}

int Demo::judge() {
  patience_.while_waiting({});
  if (load_) scoreboard_.settle(last_frame_ ? *last_frame_ : view());
  scoreboard_.say("");
  const auto against = objections(evidence_);
  if (against.empty()) {
    const Totals all = sum(evidence_.clients);
    const std::uint64_t reset = all.of(Trouble::reset_by_crash);
    const std::uint64_t newcomers = sum(evidence_.clients, Kind::newcomer).proven;
    const std::uint64_t lasting = all.started - newcomers;
    scoreboard_.say_good("PASSED: in the upgrades, no client saw an error, a close or a reconnect.");
    scoreboard_.say(fmt::format("  {} live upgrades; {} connections lived through all of them, {} came meanwhile.",
                                evidence_.upgrades.size(), lasting, newcomers));
    const Crash& crash = *plan().crash;
    scoreboard_.say(fmt::format("  PID {} was killed by SIGKILL: {} of {} connections went on, {} noticed (at",
                                crash.from_pid, lasting - reset, lasting, reset));
    scoreboard_.say(
        fmt::format("  most one for each of its {} threads is lost); pause {:.0f} ms.", crash.threads, crash.stall_ms));
    for (const std::string& line : describe(*plan().canary)) scoreboard_.say(line);
    if (last_frame_ && !last_frame_->shortfall.empty()) scoreboard_.say("  But " + last_frame_->shortfall + ".");
    for (const std::string& row : kinds_table(evidence_.clients)) scoreboard_.say(row);
    return 0;
  }
  scoreboard_.say_bad("FAILED:");
  for (const std::string& objection : against) scoreboard_.say("  " + objection);
  for (const std::string& complaint : tally_.complaints()) scoreboard_.say("    " + complaint);
  if (askers_) {
    for (const std::string& complaint : askers_->complaints()) scoreboard_.say("    asking " + complaint);
  }
  for (const std::string& row : kinds_table(evidence_.clients)) scoreboard_.say(row);
  if (proxy_) {
    scoreboard_.say("");
    scoreboard_.say("The proxy's last log lines:");
    for (const std::string& line : tail(proxy_->log(), 20)) scoreboard_.say("    " + line);
  }
  return 1;
}

void Demo::contrast() {
  load_.reset();
  askers_.reset();
  scoreboard_.say("");
  const auto nginx = find_nginx();
  if (!nginx) return scoreboard_.say(no_nginx_found());
  const Mix mix = Mix::of(options_.clients, options_.requests_per_second);
  try {
    const Contrast contrast = reload_nginx(*nginx, origin_.endpoints().http, mix, dir_, patience_, 1500ms);
    for (const std::string& line : describe(contrast)) scoreboard_.say(line);
  } catch (const std::runtime_error& error) {
    scoreboard_.say(fmt::format("No contrast with nginx: {}.", error.what()));
  }
}

void Demo::refresh() {
  const auto now = Clock::now();
  if (now < next_show_) return;
  next_show_ = now + scoreboard_.interval();
  last_second_.sample(now, tally_.latency());
  scoreboard_.show(view());
}

View Demo::view() const {
  View view{.doing = doing_, .pid = proxy_->pid(), .generation = proxy_->generation()};
  view.clients = tally_.by_group();
  // A client cannot reconnect; if the proxy accepted more connections than the clients opened, one did.
  const std::uint64_t opened = sum(view.clients).opened + (askers_ ? askers_->seen().totals.opened : 0);
  view.reconnects = proxy_->accepted() - std::min(proxy_->accepted(), opened);
  view.requests_per_second = last_second_.requests_per_second();
  view.latency = last_second_.latency();
  view.shortfall = shortfall(mean_rate_.at(Clock::now(), tally_.latency().count()), options_.requests_per_second);
  view.upgrades = evidence_.upgrades;
  if (askers_) view.canary = in_short(askers_->seen());
  return view;
}

Display display_of(const Options& options) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool in_place =
      !options.plain && ::isatty(STDOUT_FILENO) != 0 && terminal != nullptr && std::string_view(terminal) != "dumb";
  return {.in_place = in_place, .colour = in_place && (no_colour == nullptr || *no_colour == '\0')};
}

}  // namespace

int run(const Options& options) {
  return run(options, std::cout, display_of(options));
}

int run(const Options& options, std::ostream& out, Display display) {
  try {
    return options.page ? run_page(options, out) : Demo(options, out, display).run();
  } catch (const Interrupted& interrupted) {
    out << "\nEnded by a signal; every process and file of the demo is gone.\n" << std::flush;
    return 128 + interrupted.signal;
  } catch (const std::exception& error) {
    out << "The demo cannot run: " << error.what() << ".\n" << std::flush;
    return 1;
  }
}

}  // namespace baton::demo
