#include "handoff/conversation_thread.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

namespace baton::handoff {
namespace {

// A server's thread: runs what is posted, one by one.
class Server {
 public:
  auto by_post() {
    return [this](std::function<void()> task) {
      const std::lock_guard guard(mutex_);
      tasks_.push_back(std::move(task));
      changed_.notify_all();
    };
  }
  void run_one() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !tasks_.empty(); });
    const auto task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
};

TEST(ConversationThread, ItsOutcomeComesToTheServersThread) {
  Server server;
  std::string heard;
  std::thread::id talked_in;
  std::thread::id heard_in;
  ConversationThread conversation(
      [&] {
        talked_in = std::this_thread::get_id();
        return std::string("done");
      },
      server.by_post(),
      [&](const std::string& outcome) {
        heard = outcome;
        heard_in = std::this_thread::get_id();
      });
  server.run_one();
  EXPECT_EQ(heard, "done");
  EXPECT_EQ(heard_in, std::this_thread::get_id());
  conversation.join();
  EXPECT_NE(talked_in, std::this_thread::get_id());
}

TEST(ConversationThread, WhatItAsksOfTheServerIsDoneThereAndAnswered) {
  Server server;
  std::thread::id done_in;
  int heard = 0;
  ConversationThread conversation(
      [&] {
        return run_there(server.by_post(), [&] {
          done_in = std::this_thread::get_id();
          return 7;
        });
      },
      server.by_post(), [&](int outcome) { heard = outcome; });
  server.run_one();
  server.run_one();
  EXPECT_EQ(done_in, std::this_thread::get_id());
  EXPECT_EQ(heard, 7);
}

TEST(ConversationThread, AnExceptionInTheServersThreadReachesWhoeverAsked) {
  Server server;
  std::string heard;
  ConversationThread conversation(
      [&]() -> std::string {
        try {
          run_there(server.by_post(), [] { throw std::runtime_error("no"); });
        } catch (const std::runtime_error& error) {
          return error.what();
        }
        return "nothing was thrown";
      },
      server.by_post(), [&](const std::string& outcome) { heard = outcome; });
  server.run_one();
  server.run_one();
  EXPECT_EQ(heard, "no");
}

TEST(ConversationThread, AnOutcomeThatNobodyHearsIsNoReasonToWait) {
  Server server;
  {
    const ConversationThread conversation([] { return 1; }, server.by_post(), [](int) { FAIL(); });
  }
}

}  // namespace
}  // namespace baton::handoff
