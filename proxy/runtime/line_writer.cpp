#include "proxy/runtime/line_writer.hpp"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <new>
#include <string_view>

#include "handoff/guarded.hpp"

namespace baton::runtime {

using handoff::UniqueFd;

namespace {

constexpr std::chrono::milliseconds stop_limit{2000};
constexpr int abandoned_check_ms = 100;
constexpr std::size_t piece_bytes_max = 64 * 1024;

std::uint64_t count_lines(std::string_view text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

bool is_pipe(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

// A write to a broken pipe is an ordinary error (no SIGPIPE), and other threads handle the signals.
void block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

class LineWriter::Queue {
 public:
  Queue(UniqueFd descriptor, Options options) : options_(std::move(options)), descriptor_(std::move(descriptor)) {
    look_at_descriptor();
  }

  void add(std::string lines);
  void replace(UniqueFd descriptor);
  // True: everything is written. Otherwise the thread ends as soon as it can.
  bool finish(std::chrono::milliseconds limit);
  std::uint64_t lines_dropped() const { return dropped_; }

  // The thread.
  void run();

 private:
  bool take(std::string& piece);
  void put(std::string_view piece);
  void send_lines(std::string_view piece);
  int send_line(std::string_view line);
  std::size_t atomic_part(std::string_view piece) const;
  bool await_room() const;
  void fail(int error, std::string_view lost);
  void look_at_descriptor();

  const Options options_;
  std::atomic<std::uint64_t> dropped_ = 0;
  std::atomic<bool> abandoned_ = false;

  struct Waiting {
    std::deque<std::string> lines;
    std::size_t bytes = 0;
    std::uint64_t gap_lines = 0;
    UniqueFd replacement;
    bool finishing = false;
    bool finished = false;
  };
  handoff::Guarded<Waiting> waiting_;
  std::condition_variable changed_;

  // The thread's own.
  UniqueFd descriptor_;
  bool pipe_ = false;
  bool failing_ = false;
  bool torn_ = false;  // a line was written in part, and its rest was dropped
};

LineWriter::LineWriter(UniqueFd descriptor, Options options)
    : queue_(std::make_shared<Queue>(std::move(descriptor), std::move(options))),
      thread_([queue = queue_] { queue->run(); }) {}

LineWriter::~LineWriter() {
  stop(stop_limit);
}

void LineWriter::write(std::string lines) noexcept {
  queue_->add(std::move(lines));
}

void LineWriter::replace(UniqueFd descriptor) {
  queue_->replace(std::move(descriptor));
}

bool LineWriter::stop(std::chrono::milliseconds limit) {
  if (!thread_.joinable()) return true;
  const bool finished = queue_->finish(limit);
  if (finished) {
    thread_.join();
  } else {
    thread_.detach();
  }
  return finished;
}

std::uint64_t LineWriter::lines_dropped() const {
  return queue_->lines_dropped();
}

void LineWriter::Queue::add(std::string lines) {
  if (lines.empty()) return;
  auto waiting = waiting_.lock();
  const auto lose = [&](std::string_view lost) {
    const std::uint64_t count = count_lines(lost);
    waiting->gap_lines += count;
    dropped_ += count;
  };
  const std::size_t bytes_max = options_.queue_bytes_max;
  if (options_.when_full == WhenFull::drop_oldest) {
    while (!waiting->lines.empty() && waiting->bytes + lines.size() > bytes_max) {
      lose(waiting->lines.front());
      waiting->bytes -= waiting->lines.front().size();
      waiting->lines.pop_front();
    }
  }
  if (waiting->finishing || waiting->bytes + lines.size() > bytes_max) return lose(lines);
  const std::size_t bytes = lines.size();
  try {
    waiting->lines.push_back(std::move(lines));
  } catch (const std::bad_alloc&) {
    return lose(lines);             // it was not moved from
  }
  waiting->bytes += bytes;
  changed_.notify_all();
}

void LineWriter::Queue::replace(UniqueFd descriptor) {
  waiting_.lock()->replacement = std::move(descriptor);
  changed_.notify_all();
}

bool LineWriter::Queue::finish(std::chrono::milliseconds limit) {
  auto waiting = waiting_.lock();
  waiting->finishing = true;
  changed_.notify_all();
  if (waiting.wait_for(changed_, limit, [](const Waiting& now) { return now.finished; })) return true;
  abandoned_ = true;
  return false;
}

void LineWriter::Queue::run() {
  block_signals();
  std::string piece;
  for (bool goes_on = true; goes_on;) {
    try {
      goes_on = take(piece);
      if (goes_on) put(piece);
    } catch (const std::bad_alloc&) {
      // The lines taken from the queue are lost.
    }
  }
  auto waiting = waiting_.lock();
  waiting->finished = true;
  changed_.notify_all();
}

bool LineWriter::Queue::take(std::string& piece) {
  piece.clear();
  UniqueFd next;  // closing the old one may take time, so not under the lock
  std::uint64_t gap = 0;
  {
    auto waiting = waiting_.lock();
    waiting.wait(changed_, [](const Waiting& now) {
      return !now.lines.empty() || now.gap_lines > 0 || now.replacement || now.finishing;
    });
    next = std::move(waiting->replacement);
    gap = std::exchange(waiting->gap_lines, 0);
    if (abandoned_ || (waiting->finishing && waiting->lines.empty() && gap == 0)) return false;
    while (!waiting->lines.empty() &&
           (piece.empty() || piece.size() + waiting->lines.front().size() <= piece_bytes_max)) {
      std::string lines = std::move(waiting->lines.front());
      waiting->bytes -= lines.size();
      waiting->lines.pop_front();
      if (piece.empty()) {
        piece = std::move(lines);
      } else {
        piece += lines;
      }
    }
  }
  if (next) {
    descriptor_ = std::move(next);
    look_at_descriptor();
  }
  if (gap > 0 && options_.on_gap) piece.insert(0, options_.on_gap(gap));
  if (torn_ && !piece.empty()) piece.insert(piece.begin(), '\n');
  return true;
}

// One datagram. Returns 0, or the errno.
int LineWriter::Queue::send_line(std::string_view line) {
  for (;;) {
    if (!descriptor_) return ENOTCONN;
    if (::send(descriptor_.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return 0;
    if (errno == EINTR) continue;
    if (errno != EAGAIN || !await_room()) return errno;
  }
}

// The receiver may have begun anew since the last line.
void LineWriter::Queue::send_lines(std::string_view piece) {
  while (!piece.empty()) {
    const std::string_view line = piece.substr(0, piece.find('\n'));
    piece.remove_prefix(std::min(line.size() + 1, piece.size()));
    if (line.empty()) continue;
    int error = send_line(line);
    if (error != 0 && error != EMSGSIZE && !abandoned_) {
      descriptor_ = options_.reconnect();
      error = send_line(line);
    }
    if (error == 0) {
      failing_ = false;
    } else {
      fail(error, "\n");
    }
  }
}

void LineWriter::Queue::put(std::string_view piece) {
  if (options_.reconnect) return send_lines(piece);
  while (!piece.empty()) {
    const ssize_t written = ::write(descriptor_.get(), piece.data(), atomic_part(piece));
    if (written > 0) {
      torn_ = piece[static_cast<std::size_t>(written) - 1] != '\n';
      failing_ = false;
      piece.remove_prefix(static_cast<std::size_t>(written));
      continue;
    }
    const int error = written == 0 ? EIO : errno;
    if (error == EINTR) continue;
    if (error == EAGAIN && await_room()) continue;
    return fail(error, piece);
  }
}

// How much one write may hold: for a pipe, whole lines up to PIPE_BUF, which the kernel writes atomically (pipe(7)).
std::size_t LineWriter::Queue::atomic_part(std::string_view piece) const {
  if (!pipe_ || piece.size() <= PIPE_BUF) return piece.size();
  const std::size_t last_end = piece.substr(0, PIPE_BUF).rfind('\n');
  return last_end == std::string_view::npos ? PIPE_BUF : last_end + 1;
}

// Waits for room in a full descriptor that another process made non-blocking. False: the writer has been abandoned.
bool LineWriter::Queue::await_room() const {
  pollfd polled{descriptor_.get(), POLLOUT, 0};
  while (!abandoned_) {
    if (::poll(&polled, 1, abandoned_check_ms) > 0) return true;
  }
  return false;
}

void LineWriter::Queue::fail(int error, std::string_view lost) {
  dropped_ += count_lines(lost);
  if (!std::exchange(failing_, true) && options_.on_failure) options_.on_failure(error);
}

void LineWriter::Queue::look_at_descriptor() {
  pipe_ = is_pipe(descriptor_.get());
  torn_ = false;
}

}  // namespace baton::runtime
