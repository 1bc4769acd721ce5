// A day in the life of a service: a start, five upgrades between two versions, two reloads, a crash, a rollback and a
// stop, under clients of every kind. Each client has a single connection throughout and compares every byte. Only the
// crash may end a connection; then each client opens exactly one more.
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <iostream>
#include <map>
#include <mutex>

#include "day/keepers.hpp"
#include "harness/aftermath.hpp"
#include "harness/http2_origin.hpp"
#include "harness/tls_client.hpp"
#include "scale/habits.hpp"

namespace baton::harness {
namespace {

using clients::Kind;
using clients::Transport;

constexpr std::uint64_t proofs_between_events = 1'000;
constexpr const char* other_version = "0.0.9-other";

// The one crash, as the clients see it.
class Crash {
 public:
  void begins() { set(Stage::going_on); }
  void is_over() { set(Stage::over); }

  bool has_begun() {
    std::lock_guard lock(mutex_);
    return stage_ != Stage::none;
  }
  void await_end() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, wait_max, [this] { return stage_ == Stage::over; }))
      throw Failure("nobody serves after the crash");
  }

 private:
  enum class Stage { none, going_on, over };

  void set(Stage stage) {
    std::lock_guard lock(mutex_);
    stage_ = stage;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  Stage stage_ = Stage::none;
};

// What begins before the crash may be ended by it, and then starts over. No other end is tolerated.
Habit ended_by_nothing_but(Crash& crash, Habit habit) {
  return [&crash, habit = std::move(habit)](Life& life) {
    const bool before_the_crash = !crash.has_begun();
    try {
      return habit(life);
    } catch (const ConnectionEnded&) {
      if (!before_the_crash || !crash.has_begun()) throw;
    }
    crash.await_end();
    habit(life);
  };
}

class SessionOfADay : public testing::TestWithParam<Kept> {
 protected:
  SessionOfADay() { habits::serve(origin_, course_); }

  Settings settings() {
    Settings settings(origin_.address());
    settings.own_binary = true;
    settings.binds = {web_};
    settings.tcp_binds = {raw_};
    settings.more_listeners = "  - { name: web_tls, bind: \"" + web_tls_.text() + "\", tls: { certificates: [" +
                              Authority(certificates_).issue({"localhost"}).yaml() + "], alpn: [ h2, http/1.1 ] } }\n";
    settings.more_upstreams =
        "  - { name: grpc, protocol: http2, servers: [ { address: \"" + grpc_.address().text() + "\" } ] }\n";
    settings.more = "routes:\n  - { match: { path_prefix: /grpc }, upstream: grpc }\n  - { upstream: web }\n";
    settings.timeouts = "head: 10m, body: 10m, send: 10m, idle: 10m, response: 10m";
    settings.handoff += ", finish_timeout: 100ms";
    settings.limits = "uri_bytes: 4k";
    return settings;
  }

  void board() {
    const auto add = [this](std::size_t count, Kind kind, const Address& address,
                            Transport transport = Transport::plain) {
      for (const Habit& habit : habits::of(kind, transport)) {
        crew_.add(count, clients::name_of(kind, transport), address, ended_by_nothing_but(crash_, habit));
        clients_ += count;
      }
    };
    add(3, Kind::idle, web_);
    add(3, Kind::half_head, web_);
    add(3, Kind::pipelined, web_);
    add(2, Kind::large_bodies, web_);
    add(2, Kind::slow_reader, web_);
    add(2, Kind::upload, web_);
    add(3, Kind::events, web_);
    add(3, Kind::websocket, web_);
    add(2, Kind::http2, web_);
    add(2, Kind::http2, web_tls_, Transport::tls13);
    add(1, Kind::http2, web_tls_, Transport::tls12);
    add(2, Kind::grpc, web_);
    add(1, Kind::grpc, web_tls_, Transport::tls13);
    add(1, Kind::grpc, web_tls_, Transport::tls12);
    add(3, Kind::raw_tcp, raw_);
    add(1, Kind::half_closed_by_client, raw_);
    add(2, Kind::keep_alive, web_tls_, Transport::tls13);
    add(2, Kind::keep_alive, web_tls_, Transport::tls12);
    expect_everybody_at_work();
  }

  // ── What an operator does ───────────────────────────────────────────────────────────────────────────────────────

  enum class By { signal, ctl };

  void order(By by, int signal, const std::string& word) {
    if (by == By::signal) {
      ::kill(keeper_->main_pid(), signal);
      return;
    }
    const Outcome outcome = run_baton({"ctl", word, "-c", baton().config_path()});
    EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  }

  void upgrade_to(const std::string& binary, By by) {
    install(binary);
    order(by, SIGUSR2, "upgrade");
    expect_all_moved(keeper_->finish_upgrade());
    EXPECT_EQ(version(), binary == baton_binary() ? first_version_ : other_version);
    expect_everybody_at_work();
  }

  // One rename, as a package manager does it.
  void install(const std::string& binary) {
    const std::string beside = baton().binary_path() + ".new";
    std::filesystem::copy_file(binary, beside);
    std::filesystem::rename(beside, baton().binary_path());
  }

  void reload(By by) {
    order(by, SIGHUP, "reload");
    keeper_->finish_reload();
    expect_everybody_at_work();
  }

  void roll_back() {
    order(By::ctl, 0, "rollback");
    expect_all_moved(keeper_->finish_upgrade());
    expect_everybody_at_work();
  }

  void configure_uri_bytes(const std::string& bytes) {
    const std::string text = read_file(baton().config_path());
    replace_file(baton().config_path(), std::regex_replace(text, std::regex("uri_bytes: \\w+"), "uri_bytes: " + bytes));
  }

  void crash() {
    crash_.begins();
    keeper_->crash();
    crash_.is_over();
    connections_each_ = 2;
    // The killed process had accepted no clients, so these are all there were.
    if (!keeper_->counts_outlive_a_crash()) not_counted_any_more_ = clients_ + probes_;
    // A client that sends a piece between two upgrades only finds out at one of the next two.
    await(
        [this] {
          course_.upgrade_passed();
          return crew_.opened() >= connections_each_ * clients_ || !crew_.is_content();
        },
        "everybody to be back");
    expect_everybody_at_work();
  }

  void stop() {
    ::kill(keeper_->main_pid(), SIGTERM);
    keeper_->finish_stop();
  }

  // ── What must be true ───────────────────────────────────────────────────────────────────────────────────────────

  // Bytes flow, on one connection per client, and all connections ever accepted are counted.
  void expect_everybody_at_work() {
    course_.upgrade_passed();
    const std::uint64_t enough = course_.proofs + proofs_between_events;
    await([&] { return course_.proofs >= enough || !crew_.is_content(); }, "the clients to go on");
    if (!crew_.is_content()) throw Failure("a client complains");
    baton().await_number("connections.total", static_cast<std::int64_t>(clients_));
    EXPECT_EQ(crew_.opened(), connections_each_ * clients_);
    EXPECT_EQ(baton().number("accepted_total"),
              static_cast<std::int64_t>(crew_.opened() + probes_ - not_counted_any_more_));
  }

  void expect_all_moved(const std::string& report) {
    EXPECT_THAT(report, testing::HasSubstr("moved=" + std::to_string(clients_) + " "));
    EXPECT_THAT(report, testing::HasSubstr("taken_back=0, refused=0,"));
    const boost::json::object status = baton().status();
    for (const auto& [state, moved] : status.at("last_upgrade").at("moved").as_object())
      moved_[state] += moved.to_number<std::uint64_t>();
  }

  // Tells which configuration runs, by limits.uri_bytes.
  bool takes_a_long_uri() {
    ++probes_;
    return baton().connect().get("/bytes/1?" + std::string(2000, 'x')).status() == 200;
  }

  // Orphaned successors and workers become children of this process.
  void expect_nothing_remains() {
    await([] { return std::ranges::none_of(children_of(::getpid()), is_alive); }, "every process to end");
    EXPECT_EQ(paths_of_an_instance(baton()), std::vector<std::string>{}) << baton().log();
    EXPECT_FALSE(baton().lock_is_held());
    for (const Address& address : {web_, raw_, web_tls_}) EXPECT_FALSE(is_listening(address)) << address.text();
  }

  std::string version() { return std::string(baton().status().at("version").as_string()); }
  Baton& baton() { return keeper_->baton; }

  void live_through_the_day();

  const Address web_ = loopback(free_port());
  const Address raw_ = loopback(free_port());
  const Address web_tls_ = loopback(free_port());
  TempDir certificates_;
  Course course_;
  Crash crash_;
  Origin origin_;
  Http2Origin grpc_;
  std::unique_ptr<Keeper> keeper_ = keep(GetParam(), settings());
  const std::string first_version_ = version();
  std::size_t clients_ = 0;
  std::size_t connections_each_ = 1;
  std::size_t probes_ = 0;  // connections of the test itself
  std::size_t not_counted_any_more_ = 0;
  std::map<std::string, std::uint64_t> moved_;  // by state, over all upgrades
  Crew crew_{course_, 1};
};

void SessionOfADay::live_through_the_day() {
  board();
  upgrade_to(BATON_OTHER_VERSION, By::signal);
  reload(By::signal);
  upgrade_to(baton_binary(), By::ctl);
  upgrade_to(BATON_OTHER_VERSION, By::signal);
  EXPECT_TRUE(takes_a_long_uri());
  configure_uri_bytes("1k");
  reload(By::ctl);
  EXPECT_FALSE(takes_a_long_uri());
  upgrade_to(baton_binary(), By::ctl);
  EXPECT_EQ(baton().number("generation"), 5);

  crash();
  EXPECT_EQ(version(), first_version_);
  EXPECT_FALSE(takes_a_long_uri());

  configure_uri_bytes("4k");
  upgrade_to(BATON_OTHER_VERSION, By::signal);
  EXPECT_TRUE(takes_a_long_uri());
  roll_back();
  EXPECT_EQ(version(), first_version_);
  EXPECT_FALSE(takes_a_long_uri());
  expect_everybody_at_work();
}

TEST_P(SessionOfADay, IsNoticedByNoClientButForTheCrash) {
  try {
    live_through_the_day();
    EXPECT_THAT(crew_.finish(), testing::IsEmpty());
    EXPECT_EQ(crew_.opened(), connections_each_ * clients_);
    for (const char* state : {"idle", "head", "exchange", "tunnel"}) EXPECT_GT(moved_[state], 0u) << state;
    stop();
    expect_nothing_remains();
  } catch (const Failure& failure) {
    ADD_FAILURE() << failure.what();
  }
  EXPECT_THAT(crew_.finish(), testing::IsEmpty());
  if (HasFailure()) std::cout << baton().log();
}

std::string name_of(const testing::TestParamInfo<Kept>& kept) {
  switch (kept.param) {
    case Kept::alone:
      return "Alone";
    case Kept::supervised:
      return "Supervised";
    case Kept::under_a_service_manager:
      return "UnderAServiceManager";
  }
  return {};
}

INSTANTIATE_TEST_SUITE_P(Kept, SessionOfADay,
                         testing::Values(Kept::alone, Kept::supervised, Kept::under_a_service_manager), name_of);

}  // namespace
}  // namespace baton::harness
