// Runs work that may take long (name lookups, files on slow disks) off the main thread, which must always be able to
// serve signals, the watchdog and the admin interface.
#pragma once

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>

#include "handoff/guarded.hpp"

namespace baton::proxy {

class Background {
 public:
  // The remainder, which runs in the main thread.
  using Rest = std::move_only_function<void()>;
  // Owns everything it uses. It may throw only std::bad_alloc, after which it is started again.
  using Work = std::move_only_function<Rest()>;

  // `context` runs the main thread's events.
  explicit Background(boost::asio::io_context& context);
  // Does not wait: work still running is abandoned, and its `Rest` is dropped.
  ~Background();

  // Runs each piece of work in its own thread. Throws std::system_error if no thread can be started.
  void run(Work work);

  // While this is true, the process must end with _exit: a thread may be anywhere inside a library.
  bool is_busy() const;

 private:
  struct State;
  std::shared_ptr<handoff::Guarded<State>> state_;
};

}  // namespace baton::proxy
