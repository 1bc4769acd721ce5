// The thread that a conversation runs in, beside the thread that owns the server. `post` stands for however a server
// queues a function for its own thread.
#pragma once

#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "handoff/insist.hpp"

namespace baton::handoff {

// Has the server's thread run `task`, and waits for the result. Called in another thread.
template <class Post, class Task>
auto run_there(Post&& post, Task task) {
  std::packaged_task<decltype(task())()> job(std::move(task));
  auto result = job.get_future();
  post([&job] { job(); });
  return result.get();
}

class ConversationThread {
 public:
  // Runs `talk` and posts `ended(outcome)`. Everything is copied before the thread starts. `talk` must not throw: the
  // conversations of this library do not, and the end is posted even if memory is short. Throws if there is no memory
  // or no thread; then `talk` has not been called.
  template <class Talk, class Post, class Ended>
  ConversationThread(Talk talk, Post post, Ended ended)
      : thread_([talk = std::move(talk), post = std::move(post), ended = std::move(ended)]() mutable {
          auto said = talk();
          // Shared, not copied: running `ended` then needs no memory.
          const auto outcome = insist([&] { return std::make_shared<decltype(said)>(std::move(said)); });
          insist([&] { post([ended, outcome] { ended(*outcome); }); });
        }) {}
  // Waits for the conversation's end.
  ~ConversationThread() { join(); }
  ConversationThread(const ConversationThread&) = delete;
  ConversationThread& operator=(const ConversationThread&) = delete;

  void join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::thread thread_;
};

}  // namespace baton::handoff
