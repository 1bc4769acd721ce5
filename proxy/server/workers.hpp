// All worker threads of a process together: started, queried and ended as one. Called in the main thread or the
// conversation's, never in a worker's own.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "proxy/worker/worker.hpp"

namespace baton::proxy {

class Workers {
 public:
  Workers(std::shared_ptr<const Settings> settings, Shared& shared, access_log::AccessLog* access_log, unsigned number);
  ~Workers();                                // ends the threads and closes what is still open

  std::size_t size() const { return workers_.size(); }
  Worker& at(std::size_t index) { return *workers_[index]; }

  // Runs `task` in each worker's thread, one after another, and waits.
  template <class Task>
  void each(Task&& task) {
    for (auto& worker : workers_) worker->loop().call([&] { task(*worker); });
  }

  std::size_t connections();
  Counters counters();

 private:
  void end_threads();

  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
};

}  // namespace baton::proxy
