// Memory is short: each allocation of a reload, a status, an upgrade, a TLS connection fails once. The operation may
// fail, and that connection may be lost. Afterwards there is one instance, which serves and can do all of it.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <memory>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"
#include "harness/shared_memory.hpp"
#include "harness/tls_client.hpp"
#include "memory/scarcity.hpp"

namespace baton::harness {
namespace {

class ShortOfMemory : public testing::Test {
 protected:
  void SetUp() override {
    const std::string path = directory_ / "scarcity";
    scarcity_ = std::make_unique<SharedWithModule<Scarcity>>(path);
    settings_.own_binary = true;
    // How long an orphan waits for the lock.
    settings_.handoff = "ready_timeout: 15s, step_timeout: 2s";
    // LD_PRELOAD is split at blanks, which the checkout's path may contain.
    const std::string module = directory_ / "scarce_memory.so";
    std::filesystem::copy_file(SCARCE_MEMORY, module);
    settings_.shell = "export LD_PRELOAD=" + module + " SCARCITY=" + path;
    baton_ = std::make_unique<Baton>(settings_);
  }

  Address admin() const { return unix_socket(baton_->directory() / "admin.sock"); }

  // All that the admin socket sends; empty if the connection is dropped.
  std::string ask(const std::string& method, const std::string& path) const {
    std::string answer;
    try {
      Client client(admin());
      client.send(method + " " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      (void)client.read_to_end(answer);
    } catch (const ConnectionEnded&) {
    }
    return answer;
  }

  // Runs `step` with its first allocation failing, then its second, and so on until it makes fewer; or only with every
  // n-th of so many.
  template <class Step>
  void with_each_failing(ScarceIn in, Step step, long one_of = 1) {
    long first = 1 - one_of;
    for (long made = 0; made >= first && !testing::Test::HasFailure();) {
      first += one_of;
      SCOPED_TRACE(testing::Message() << "allocation " << first << " fails");
      (*scarcity_)->pid = baton_->pid();
      (*scarcity_)->failing = first;
      (*scarcity_)->count = 0;
      (*scarcity_)->in = in;
      try {
        step();
      } catch (const std::exception& failure) {
        ADD_FAILURE() << failure.what();
      }
      (*scarcity_)->in = ScarceIn::nothing;
      made = (*scarcity_)->count;
      if (!testing::Test::HasFailure()) expect_sound();
      if (testing::Test::HasFailure())
        ADD_FAILURE() << baton_->log().substr(baton_->log().size() > 5000 ? baton_->log().size() - 5000 : 0);
    }
    EXPECT_GT(first, 2) << "the shortage has not come to it";
    RecordProperty("allocations", static_cast<int>(first));
  }
  void expect_sound() {
    EXPECT_TRUE(baton_->lock_is_held());
    EXPECT_EQ(baton_->pid_in_file(), baton_->number("pid"));
    expect_service();
    EXPECT_EQ(baton_->readyz(), 200);
  }

  virtual void expect_service() { EXPECT_EQ(baton_->connect().get("/bytes/7").body, pattern(7)); }

  const TempDir directory_;
  std::unique_ptr<SharedWithModule<Scarcity>> scarcity_;
  const Origin origin_;
  Settings settings_{origin_.address()};
  std::unique_ptr<Baton> baton_;
};

void expect_whole_or_refused(const std::string& answer) {
  if (answer.empty() || answer.starts_with("HTTP/1.1 503")) return;
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
  EXPECT_EQ(answer.find("no status in time"), std::string::npos);
}

TEST_F(ShortOfMemory, AStatusIsRightOrIsNone) {
  with_each_failing(ScarceIn::main_thread, [this] { expect_whole_or_refused(ask("GET", "/status")); });
}

TEST_F(ShortOfMemory, AStatusIsRightOrIsNoneWhereAWorkerHasNoMemory) {
  with_each_failing(ScarceIn::workers, [this] { expect_whole_or_refused(ask("GET", "/status")); });
}

TEST_F(ShortOfMemory, AReloadIsDoneOrFails) {
  with_each_failing(ScarceIn::main_thread, [this] { ask("POST", "/reload"); });
  EXPECT_NE(ask("POST", "/reload").find("done"), std::string::npos);
}

TEST_F(ShortOfMemory, ADrainIsDoneOrFails) {
  with_each_failing(ScarceIn::main_thread, [this] {
    ask("POST", "/drain");
    (*scarcity_)->in = ScarceIn::nothing;
    EXPECT_NE(ask("DELETE", "/drain").find("200"), std::string::npos);
  });
}

class ShortOfMemoryInAnUpgrade : public ShortOfMemory {
 protected:
  // It may fail. Then its predecessor is the instance; either way there is only one in the end.
  void upgrade() {
    ask("POST", "/upgrade");
    (*scarcity_)->in = ScarceIn::nothing;
    await([this] { return living_in_group(group_).size() == 1; }, "one process to be left");
    baton_->follow_pid_file();
    EXPECT_EQ(living_in_group(group_), std::vector{baton_->pid()});
  }
  // Each has its own failure, followed by a run without one.
  void expect_each_to_leave_one_instance(ScarceIn in, long one_of = 1) {
    group_ = ::getpgid(baton_->pid());
    with_each_failing(in, [this] { upgrade(); }, one_of);
    if (!HasFailure()) baton_->upgrade();
  }

  // There are very many: a sample keeps the test short.
  static constexpr long some = 13;

  pid_t group_ = 0;
};

TEST_F(ShortOfMemoryInAnUpgrade, ThePredecessorsMainThread) {
  expect_each_to_leave_one_instance(ScarceIn::main_thread, some);
}

TEST_F(ShortOfMemoryInAnUpgrade, ThePredecessorsConversation) {
  expect_each_to_leave_one_instance(ScarceIn::conversation, some);
}

TEST_F(ShortOfMemoryInAnUpgrade, TheSuccessorsMainThreadOnceItHasTheLock) {
  (*scarcity_)->is_of_others = true;
  (*scarcity_)->begins_with_lock = true;
  expect_each_to_leave_one_instance(ScarceIn::main_thread);
}

TEST_F(ShortOfMemoryInAnUpgrade, TheSuccessorsConversationOnceItHasTheLock) {
  (*scarcity_)->is_of_others = true;
  (*scarcity_)->begins_with_lock = true;
  expect_each_to_leave_one_instance(ScarceIn::conversation);
}

// ── TLS in the workers
// ────────────────────────────────────────────────────────────────────────────────────────────────

class ShortOfMemoryForTls : public ShortOfMemory {
 protected:
  ShortOfMemoryForTls() { settings_.tls = "certificates: [ " + authority_.issue({"site.test"}).yaml() + " ]"; }

  void expect_service() override { EXPECT_EQ(TlsClient(baton_->address()).get("/bytes/7").body, pattern(7)); }

  // One connection of the test may be lost; returns how many were.
  template <class Exchange>
  static int lost(Exchange exchange) {
    try {
      exchange();
      return 0;
    } catch (const Failure&) {
      return 1;
    }
  }

  Authority authority_{directory_};
};

TEST_F(ShortOfMemoryForTls, OnlyTheConnectionThatNeedsItIsLost) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient other(baton_->address(), {.version = version});
    other.get("/bytes/1");
    with_each_failing(ScarceIn::workers, [&] {
      (void)lost([&] { TlsClient(baton_->address(), {.version = version}).get("/bytes/70000"); });
      (*scarcity_)->in = ScarceIn::nothing;
      EXPECT_EQ(other.get("/bytes/5").body, pattern(5));
    });
  }
}

TEST_F(ShortOfMemoryForTls, OneConnectionAtMostIsLostByAnUpgrade) {
  for (const bool in_successor : {false, true}) {
    (*scarcity_)->is_of_others = in_successor;
    with_each_failing(ScarceIn::workers, [&] {
      (*scarcity_)->in = ScarceIn::nothing;
      TlsClient one(baton_->address(), {.version = TLS1_3_VERSION});
      TlsClient other(baton_->address(), {.version = TLS1_2_VERSION});
      one.get("/bytes/1");
      other.get("/bytes/1");
      (*scarcity_)->in = ScarceIn::workers;
      ask("POST", "/upgrade");
      (*scarcity_)->in = ScarceIn::nothing;
      baton_->follow_pid_file();
      EXPECT_LE(lost([&] { EXPECT_EQ(one.get("/bytes/5").body, pattern(5)); }) +
                    lost([&] { EXPECT_EQ(other.get("/bytes/5").body, pattern(5)); }),
                1);
    });
  }
}

}  // namespace
}  // namespace baton::harness
