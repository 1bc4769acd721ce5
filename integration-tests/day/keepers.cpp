#include "day/keepers.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <utility>

#include "harness/log_lines.hpp"
#include "systemd/notify_socket.hpp"

namespace baton::harness {

void Keeper::finish_reload() {
  baton.await_log(log_lines::reload_done);
}

void Keeper::finish_stop() {
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0})) << baton.log();
}

void Keeper::crash() {
  kill_main();
  baton.start_again();
}

void Keeper::kill_main() const {
  const pid_t main = main_pid();
  ::kill(main, SIGKILL);
  EXPECT_EQ(await_exit(main), (Ended{-1, SIGKILL}));
}

namespace {

class Supervising : public Keeper {
 public:
  explicit Supervising(Settings settings) : Keeper(with_a_parent(std::move(settings))) { await_known(); }
  // Workers lead their own process groups, which the harness does not search.
  ~Supervising() override {
    if (stopped_) return;
    ::kill(parent_, SIGKILL);
    ::kill(worker_, SIGKILL);
  }

  pid_t main_pid() const override { return parent_; }

  std::string finish_upgrade() override {
    const std::string report = baton.await_log(log_lines::upgrade_report);
    const pid_t before = std::exchange(worker_, another_worker());
    await([before] { return !is_alive(before); }, "the old worker to end");
    await_known();
    return report;
  }

  void finish_stop() override {
    Keeper::finish_stop();
    stopped_ = true;
  }

  void crash() override {
    ::kill(worker_, SIGKILL);
    worker_ = another_worker();
    await_known();
    EXPECT_EQ(baton.count_log_lines(std::regex("the next replacement starts in")), 0u) << "at once";
  }
  bool counts_outlive_a_crash() const override { return true; }

 private:
  static Settings with_a_parent(Settings settings) {
    settings.arguments = {"--supervise"};
    settings.handoff += ", survive: \"off\"";  // the crash of this day is one that clients notice
    return settings;
  }

  pid_t worker_in_status() const { return static_cast<pid_t>(baton.number("pid")); }

  pid_t another_worker() const {
    pid_t found = 0;
    await(
        [&] {
          if (!is_alive(parent_)) throw Failure("the parent has ended\n" + baton.log());
          try {
            found = worker_in_status();
          } catch (const Failure&) {
            return false;  // no answer yet
          }
          return found != worker_;
        },
        "another worker to serve");
    return found;
  }

  // The parent knows the serving worker, and still has the PID by which the service is known.
  void await_known() const {
    const std::regex line("supervisor: PID " + std::to_string(worker_) + " is the instance");
    await([&] { return baton.count_log_lines(line) != 0; }, "the parent to know its worker");
    EXPECT_TRUE(is_alive(parent_));
    EXPECT_EQ(baton.pid_in_file(), parent_);
    EXPECT_EQ(baton.number("supervisor"), parent_);
  }

  const pid_t parent_ = baton.pid();
  pid_t worker_ = worker_in_status();
  bool stopped_ = false;
};

// Like systemd with Type=notify, NotifyAccess=all and Restart=on-failure. The socket is a base class, so that it exists
// before the service.
class Managing : NotifySocket, public Keeper {
 public:
  explicit Managing(Settings settings) : Keeper(told_to(address(), std::move(settings))) { expect_ready(); }

  pid_t main_pid() const override { return main_pid_; }

  // The old process named the new one before it exited, so the main process was alive at each moment.
  std::string finish_upgrade() override {
    const pid_t before = main_pid_;
    const std::string report = Keeper::finish_upgrade();
    Notification last = hear();
    while (has_more()) last = hear();
    EXPECT_EQ(last.sender, before) << last.text;
    EXPECT_TRUE(last.says("MAINPID=" + std::to_string(baton.pid()))) << last.text;
    EXPECT_TRUE(last.says("READY=1")) << last.text;
    EXPECT_EQ(main_pid_, baton.pid());
    return report;
  }

  void finish_reload() override {
    Keeper::finish_reload();
    expect_from_main("RELOADING=1");
    expect_from_main("READY=1");
  }

  void finish_stop() override {
    Keeper::finish_stop();
    const Notification last = next_that_says("STOPPING=1");
    EXPECT_EQ(last.sender, main_pid_);
    while (has_more()) EXPECT_FALSE(next().says("READY=1")) << "it has ended";
  }

  void crash() override {
    kill_main();
    EXPECT_FALSE(has_more()) << "a word from nobody";
    baton.start_again();
    main_pid_ = baton.pid();
    expect_ready();
  }

 private:
  static Settings told_to(const std::string& address, Settings settings) {
    settings.shell = "export NOTIFY_SOCKET='" + address + "'";
    return settings;
  }

  // The main process is the one named last, and it is alive whenever there is one.
  Notification hear() {
    const Notification message = next();
    if (const auto named = message.value("MAINPID")) main_pid_ = std::stoi(*named);
    EXPECT_TRUE(is_alive(main_pid_)) << "systemd would take the service for dead after\n" << message.text;
    return message;
  }
  void expect_from_main(const std::string& assignment) {
    const Notification message = hear();
    EXPECT_EQ(message.sender, main_pid_) << message.text;
    EXPECT_TRUE(message.says(assignment)) << message.text;
  }
  void expect_ready() { expect_from_main("READY=1"); }

  pid_t main_pid_ = baton.pid();
};

}  // namespace

std::unique_ptr<Keeper> keep(Kept how, Settings settings) {
  switch (how) {
    case Kept::alone:
      return std::make_unique<Keeper>(std::move(settings));
    case Kept::supervised:
      return std::make_unique<Supervising>(std::move(settings));
    case Kept::under_a_service_manager:
      return std::make_unique<Managing>(std::move(settings));
  }
  throw Failure("kept by nobody");
}

}  // namespace baton::harness
