// Clients that work in rounds, each in a thread of its own on one connection that lasts from the first round to the
// last. What a round is about happens while they work.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "harness/client.hpp"

namespace baton::harness {

class Crew {
 public:
  using Job = std::function<void(Client& client)>;

  ~Crew() {
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  // Does the job so often in each round. `connect` makes its connection.
  void add(const std::string& name, int times, const std::function<void(std::list<Client>&)>& connect, const Job& job) {
    std::list<Client>& client = clients_.emplace_back();
    connect(client);
    const std::lock_guard lock(mutex_);
    ++members_;
    threads_.emplace_back([this, name, times, &client, job] { work(name, times, client.front(), job); });
  }

  void begin_round() {
    {
      const std::lock_guard lock(mutex_);
      ++round_;
      done_ = 0;
    }
    changed_.notify_all();
  }
  // Throws Failure with what went wrong in one of them.
  void finish_round() {
    std::unique_lock lock(mutex_);
    const bool is_done = changed_.wait_for(lock, wait_max, [this] { return done_ == members_ || !failure_.empty(); });
    if (!failure_.empty()) throw Failure(failure_);
    if (!is_done) throw Failure("only " + std::to_string(done_) + " of the clients have finished their round");
  }

 private:
  void work(const std::string& name, int times, Client& client, const Job& job) {
    for (int done = 0;; ++done) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return is_over_ || round_ > done; });
        if (is_over_) return;
      }
      std::string failure;
      try {
        for (int i = 0; i < times; ++i) job(client);
      } catch (const std::exception& exception) {
        failure = name + ": " + exception.what();
      }
      const std::lock_guard lock(mutex_);
      ++done_;
      if (failure_.empty()) failure_ = failure;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int round_ = 0;
  int done_ = 0;
  int members_ = 0;
  bool is_over_ = false;
  std::string failure_;
  std::list<std::list<Client>> clients_;
  std::list<std::thread> threads_;
};

}  // namespace baton::harness
