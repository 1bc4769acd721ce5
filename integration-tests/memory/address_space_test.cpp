// A process that can map no more memory than the stack of one thread and a little: whatever begins a thread then runs
// out of memory at another point for each little. What was begun may fail; the process and its connections stay.
#include <gtest/gtest.h>
#include <signal.h>

#include "harness/aftermath.hpp"
#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"
#include "harness/shortage.hpp"

namespace baton::harness {
namespace {

class ShortOfAddressSpace : public testing::Test {
 protected:
  static constexpr std::size_t little_max = 320 << 10, step = 16 << 10;

  ShortOfAddressSpace() {
    settings_.own_binary = true;
    settings_.workers = 2;
    baton_ = std::make_unique<Baton>(settings_);
    client_ = std::make_unique<Client>(baton_->address());
    EXPECT_EQ(client_->get("/bytes/1").body, pattern(1));
  }
  // Begins something and waits for the line that tells its end. What must not be left half done waits for memory: so
  // after a while there is some.
  template <class Begin>
  void with_each_little(const std::regex& end, Begin begin) {
    for (std::size_t little = 0; little <= little_max && !HasFailure(); little += step) {
      SCOPED_TRACE(testing::Message() << little << " bytes beside the stack");
      const std::size_t ends = baton_->count_log_lines(end);
      const auto has_ended = [&] { return baton_->count_log_lines(end) > ends || !is_alive(baton_->pid()); };
      {
        const Shortage shortage = Shortage::of_memory(baton_->pid(), stack_bytes(baton_->pid()) + little);
        begin();
        (void)comes_true(has_ended, Milliseconds(500));
      }
      await(has_ended, "its end");
      expect_all_well();
    }
  }
  void expect_all_well() {
    const auto is_settled = [this] {
      return baton_->lock_is_held() && is_alive(baton_->pid_in_file()) &&
             baton_->pid_in_file() == baton_->number("pid");
    };
    ASSERT_TRUE(baton_->lock_is_held()) << baton_->log();
    await(is_settled, "one instance");
    baton_->follow_pid_file();
    EXPECT_EQ(client_->get("/bytes/2").body, pattern(2));
    EXPECT_EQ(baton_->connect().get("/bytes/7").body, pattern(7));
  }

  const Origin origin_;
  Settings settings_{origin_.address()};
  std::unique_ptr<Baton> baton_;
  std::unique_ptr<Client> client_;
};

TEST_F(ShortOfAddressSpace, AReloadIsDoneOrFails) {
  const pid_t first = baton_->pid();
  with_each_little(std::regex("reload: (done|failed)"), [this] { baton_->signal(SIGHUP); });
  EXPECT_EQ(baton_->pid(), first);
}

// The successor has memory.
TEST_F(ShortOfAddressSpace, AnUpgradeIsCompletedOrFails) {
  replace_file(baton_->binary_path(), "#!/bin/sh\nulimit -S -v unlimited\nexec " + baton_in_shell() + " \"$@\"\n",
               true);
  with_each_little(std::regex("upgrade: (failed|rolled back|generation)"), [this] { baton_->begin_upgrade(); });
}

}  // namespace
}  // namespace baton::harness
