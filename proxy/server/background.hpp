// Work that may take long (names, files on slow disks), apart from the main thread, which must hear signals, the
// watchdog and the admin interface at any time.
#pragma once

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>

namespace baton::proxy {

class Background {
 public:
  // What is left to do in the main thread.
  using Rest = std::move_only_function<void()>;
  // Owns whatever it uses, and throws nothing but std::bad_alloc: then it is begun again.
  using Work = std::move_only_function<Rest()>;

  // `context` runs the main thread's events.
  explicit Background(boost::asio::io_context& context);
  // Waits for nothing: work that goes on is left behind, and the rest of it dropped.
  ~Background();

  // Each in a thread of its own. Throws std::system_error: no thread can be started.
  void run(Work work);

  // As long as there is some, the process can end by _exit only: a thread may be anywhere in a library.
  bool is_busy() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace baton::proxy
