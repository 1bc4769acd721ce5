#include "proxy/server/workers.hpp"

#include <pthread.h>

#include <fmt/format.h>

#include <new>
#include <stdexcept>
#include <system_error>

#include "handoff/result.hpp"

namespace baton::proxy {

Workers::Workers(std::shared_ptr<const Settings> settings, Shared& shared, access_log::AccessLog* access_log,
                 unsigned number) {
  // When memory is short, the spare blocks that a thread keeps for later use are freed first.
  std::set_new_handler([] {
    if (!state::free_spare_memory()) throw std::bad_alloc();
  });
  for (unsigned i = 0; i < number; ++i) workers_.push_back(std::make_unique<Worker>(settings, shared, access_log, i));
  threads_.reserve(number);
  try {
    for (auto& worker : workers_) {
      threads_.emplace_back([&worker = *worker] { worker.run(); });
      ::pthread_setname_np(threads_.back().native_handle(), fmt::format("worker {}", threads_.size()).c_str());
    }
  } catch (const std::system_error& error) {
    end_threads();
    throw std::runtime_error(
        handoff::describe(error, fmt::format("cannot start thread {} of {}", threads_.size() + 1, number)));
  }
}

Workers::~Workers() { end_threads(); }

void Workers::end_threads() {
  for (auto& worker : workers_) worker->loop().stop();
  for (auto& thread : threads_) thread.join();
}

std::size_t Workers::connections() {
  std::size_t total = 0;
  each([&](Worker& worker) { total += worker.connections(); });
  return total;
}

Counters Workers::counters() {
  Counters total;
  each([&](Worker& worker) { total += worker.counters; });
  return total;
}

}  // namespace baton::proxy
