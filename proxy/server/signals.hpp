// Reads the signals that this process handles, and decides which of them are meant for it. Runs in the main thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>

#include "proxy/server/role.hpp"
#include "proxy/server/supervision.hpp"

namespace baton::proxy {

class Signals {
 public:
  // `role` and `supervision` outlive this.
  Signals(boost::asio::io_context& context, const Role& role, const Supervision& supervision,
          std::function<void(int)> on_signal);

  // From now on.
  void read();
  // Obeys the signals that have arrived so far.
  void hear();
  // Obeys the signal as if it had arrived; logs any exception.
  void obey(int signal);

 private:
  boost::asio::posix::stream_descriptor descriptor_;
  const Role& role_;
  const Supervision& supervision_;
  std::function<void(int)> on_signal_;
};

}  // namespace baton::proxy
