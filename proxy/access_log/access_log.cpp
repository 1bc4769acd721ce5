#include "proxy/access_log/access_log.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <system_error>

#include "proxy/runtime/line_writer.hpp"
#include "proxy/runtime/log.hpp"

namespace baton::access_log {

using runtime::LineWriter;
namespace log = runtime::log;

namespace {

constexpr std::size_t queue_bytes_max = 8 * 1024 * 1024;

// Opening a FIFO does not block: without a reader it fails. A full FIFO blocks only the writer's thread.
handoff::UniqueFd open_log(const std::string& path) {
  const int descriptor =
      path == "-" ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
                  : ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "access log " + path);
  return handoff::UniqueFd(descriptor);
}

// A datagram socket that is connected to the receiver. There is none if the receiver is not running.
handoff::UniqueFd reach_syslog(const config::Address& address) {
  const auto connected = [](int family, const void* name, socklen_t length) {
    handoff::UniqueFd socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket || ::connect(socket.get(), static_cast<const sockaddr*>(name), length) != 0) socket.reset();
    return socket;
  };
  if (!address.unix_path.empty()) {
    sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
    address.unix_path.copy(name.sun_path, sizeof name.sun_path - 1);
    return connected(AF_UNIX, &name, sizeof name);
  }
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  if (::getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found) != 0) return {};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> freed(found, ::freeaddrinfo);
  return connected(found->ai_family, found->ai_addr, found->ai_addrlen);
}

handoff::UniqueFd open(const config::AccessLog& to) {
  return to.syslog ? reach_syslog(*to.syslog) : open_log(to.path);
}

LineWriter::Options options_for(const config::AccessLog& to) {
  LineWriter::Options options{.queue_bytes_max = queue_bytes_max, .when_full = LineWriter::WhenFull::drop_newest};
  const std::string name = to.syslog ? "syslog " + to.syslog->text() : to.path;
  options.on_gap = [name](std::uint64_t lines) {
    log::warning("access log {}: {} lines lost, it cannot keep up", name, lines);
    return std::string();
  };
  options.on_failure = [name](int error) {
    log::error("access log {}: {}; lines are lost", name, std::generic_category().message(error));
  };
  if (to.syslog) options.reconnect = [address = *to.syslog] { return reach_syslog(address); };
  return options;
}

}  // namespace

class AccessLog::Writer {
 public:
  explicit Writer(const config::AccessLog& to) : to_(to), lines_(open(to), options_for(to)) {}

  LineWriter& lines() { return lines_; }

  void reopen() {
    if (to_.path == "-" || to_.syslog) return;
    // Among concurrent calls, the last to open the file is also the last to replace it.
    const std::lock_guard lock(reopening_);
    try {
      lines_.replace(open_log(to_.path));
    } catch (const std::system_error& error) {
      log::error("{}; the old file stays in use", error.what());
    }
  }

 private:
  const config::AccessLog to_;
  std::mutex reopening_;
  LineWriter lines_;
};

AccessLog::AccessLog(const config::AccessLog& to) : writer_(std::make_unique<Writer>(to)) {}

AccessLog::~AccessLog() = default;

void AccessLog::write(std::string lines) {
  writer_->lines().write(std::move(lines));
}

void AccessLog::reopen() {
  writer_->reopen();
}

std::uint64_t AccessLog::lines_dropped() const {
  return writer_->lines().lines_dropped();
}

}  // namespace baton::access_log
