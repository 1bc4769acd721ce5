#include "proxy/server/signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <utility>

#include "handoff/insist.hpp"
#include "handoff/result.hpp"
#include "proxy/process/signals.hpp"
#include "proxy/runtime/log.hpp"

namespace baton::proxy {

namespace asio = boost::asio;
namespace log = runtime::log;

Signals::Signals(asio::io_context& context, const Role& role, const Supervision& supervision,
                 std::function<void(int)> on_signal)
    : descriptor_(context, process::signal_descriptor().release()),
      role_(role),
      supervision_(supervision),
      on_signal_(std::move(on_signal)) {}

void Signals::read() {
  handoff::insist([this] {
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
      if (error) return;
      read();  // wait again even if handling these fails
      hear();
    });
  });
}

void Signals::hear() {
  signalfd_siginfo info;
  while (::read(descriptor_.native_handle(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    const auto signal = static_cast<int>(info.ssi_signo);
    // The supervisor still took us for the instance when it sent this. A stop also applies to what still drains here.
    const bool is_stop = signal == SIGTERM || signal == SIGINT || signal == SIGQUIT;
    const std::optional<pid_t> heir = supervision_.heir();
    const bool is_for_heir = heir && signal != SIGCHLD && static_cast<pid_t>(info.ssi_pid) == supervision_.supervisor();
    // A stop may have been sent to the whole process group; the copy that our predecessor passes on is not a second
    // stop.
    const bool is_known =
        role_.is_told_to_stop() && process::was_passed_on(info) && (signal == SIGTERM || signal == SIGINT);
    if (is_for_heir) process::pass_on(signal, *heir);
    if (is_for_heir ? is_stop : !is_known) obey(signal);
  }
}

void Signals::obey(int signal) {
  try {
    on_signal_(signal);
  } catch (const std::exception& error) {
    log::error("signal {}: {}", signal, handoff::describe(error));
  }
}

}  // namespace baton::proxy
