#include "proxy/process/notify.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "proxy/runtime/text.hpp"

namespace baton::process {

namespace {

// systemd drops datagrams of more than a page; the other assignments of a message are short.
constexpr std::size_t status_bytes_max = 1024;

std::optional<std::int64_t> positive_number(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  std::int64_t number = 0;
  const char* end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, number);
  if (error != std::errc() || rest != end || number <= 0) return std::nullopt;
  return number;
}

}  // namespace

Notifier Notifier::from_environment() {
  Notifier notifier;
  const char* address = std::getenv("NOTIFY_SOCKET");
  if (address == nullptr || (*address != '/' && *address != '@')) return notifier;
  notifier.address_ = address;
  notifier.socket_ = handoff::UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));

  // A successor inherits WATCHDOG_USEC without WATCHDOG_PID: it takes the place of its predecessor.
  if (std::getenv("WATCHDOG_PID") != nullptr && positive_number("WATCHDOG_PID") != ::getpid()) {
    ::unsetenv("WATCHDOG_USEC");
    ::unsetenv("WATCHDOG_PID");
  }
  notifier.watchdog_ = std::chrono::microseconds(positive_number("WATCHDOG_USEC").value_or(0));
  return notifier;
}

std::error_code Notifier::send(std::string_view message) const {
  if (address_.empty()) return {};
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (address_.size() > sizeof to.sun_path) return std::make_error_code(std::errc::filename_too_long);
  std::memcpy(to.sun_path, address_.data(), address_.size());
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  const ssize_t sent = ::sendto(socket_.get(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&to), length);
  return sent >= 0 ? std::error_code() : std::error_code(errno, std::generic_category());
}

std::string status_assignment(std::string_view text) {
  std::string line;
  for (const char character : text.substr(0, status_bytes_max)) {
    line += static_cast<unsigned char>(character) < ' ' || character == 0x7f ? ' ' : character;
  }
  // A character cut in two by the limit is invalid, too.
  return "STATUS=" + runtime::valid_utf8(line);
}

}  // namespace baton::process
