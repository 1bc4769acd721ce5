#include "proxy/ctl/screen.hpp"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

namespace baton::ctl {

namespace {

constexpr std::string_view enter_screen = "\x1b[?1049h\x1b[?25l";  // alternate screen, no cursor
constexpr std::string_view leave_screen = "\x1b[?25h\x1b[?1049l";

sigset_t signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH}) ::sigaddset(&set, number);
  return set;
}

void write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

bool Screen::is_there() {
  const char* kind = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) == 1 && kind != nullptr && *kind != '\0' && std::string_view(kind) != "dumb";
}

Screen::Screen() {
  const sigset_t ours = signals();
  ::sigprocmask(SIG_BLOCK, &ours, &blocked_before_);
  signals_ = handoff::UniqueFd(::signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK));
  events_ = handoff::UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{.events = EPOLLIN, .data = {.fd = signals_.get()}};
  ::epoll_ctl(events_.get(), EPOLL_CTL_ADD, signals_.get(), &event);
  has_keys_ = ::tcgetattr(STDIN_FILENO, &modes_before_) == 0;
  if (has_keys_) {
    event.data.fd = STDIN_FILENO;
    ::epoll_ctl(events_.get(), EPOLL_CTL_ADD, STDIN_FILENO, &event);
  }
  enter();
}

Screen::~Screen() {
  leave();
  // What came meanwhile has been obeyed: it must not end the process before it has said how it went.
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof info) > 0) {
  }
  ::sigprocmask(SIG_SETMASK, &blocked_before_, nullptr);
}

void Screen::enter() const {
  if (has_keys_) {
    termios modes = modes_before_;
    modes.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    modes.c_cc[VMIN] = 0;
    modes.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &modes);
  }
  write_all(enter_screen);
}

void Screen::leave() const {
  write_all(leave_screen);
  if (has_keys_) ::tcsetattr(STDIN_FILENO, TCSANOW, &modes_before_);
}

// As the shell's user expects of Ctrl-Z.
void Screen::suspend() const {
  leave();
  ::raise(SIGSTOP);
  enter();
}

Window Screen::window() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return {};
  return {size.ws_row, size.ws_col};
}

// Each line is erased before it is written: behind a full one the cursor is still in the last column.
void Screen::draw(const std::string& frame) const {
  std::string bytes = "\x1b[H";
  for (std::string_view rest = frame;;) {
    const std::size_t end = rest.find('\n');
    bytes.append("\x1b[2K").append(rest.substr(0, end));
    if (end == std::string_view::npos) break;
    bytes += "\r\n";
    rest.remove_prefix(end + 1);
  }
  // Below a frame that fills the window there is nothing.
  std::size_t lines = 1;
  for (const char byte : frame) lines += byte == '\n' ? 1 : 0;
  if (lines < window().rows) bytes += "\r\n\x1b[J";
  write_all(bytes);
}

Screen::Wish Screen::act() {
  Wish wish = Wish::none;
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo != SIGWINCH && info.ssi_signo != SIGTSTP) return Wish::end;
    if (info.ssi_signo == SIGTSTP) suspend();
    wish = Wish::redraw;
  }
  if (!has_keys_) return wish;
  epoll_event event{};
  if (::epoll_wait(events_.get(), &event, 1, 0) <= 0 || event.data.fd != STDIN_FILENO) return wish;
  char keys[64];
  const ssize_t count = ::read(STDIN_FILENO, keys, sizeof keys);
  if (count <= 0) return Wish::end;  // the terminal is gone
  const std::string_view typed(keys, static_cast<std::size_t>(count));
  return typed.find_first_of("qQ\x03") != std::string_view::npos ? Wish::end : wish;
}

}  // namespace baton::ctl
