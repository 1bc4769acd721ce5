#include "proxy/runtime/loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <exception>
#include <system_error>
#include <utility>

#include "handoff/guarded.hpp"

namespace baton::runtime {

namespace {

constexpr std::size_t events_per_round = 256;

std::int64_t read_clock_us(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000 + time.tv_nsec / 1000;
}

}  // namespace

std::int64_t monotonic_ms() { return read_clock_us(CLOCK_MONOTONIC) / 1000; }
std::int64_t monotonic_us() { return read_clock_us(CLOCK_MONOTONIC); }
std::int64_t unix_us() { return read_clock_us(CLOCK_REALTIME); }

// A queue of tasks from other threads; an eventfd wakes the loop.
class Loop::Mailbox : public EventHandler {
 public:
  explicit Mailbox(Loop& loop) : loop_(loop), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
  }

  int descriptor() const { return wake_.get(); }

  void leave(std::function<void()> task) {
    tasks_.lock()->push_back(std::move(task));
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
  }

  void on_events(std::uint32_t) override {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
    std::vector<std::function<void()>> tasks;
    tasks_.lock()->swap(tasks);
    for (auto& task : tasks) loop_.guarded(task);
  }

 private:
  Loop& loop_;                       // owns this
  handoff::UniqueFd wake_;
  handoff::Guarded<std::vector<std::function<void()>>> tasks_;
};

Loop::Loop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      mailbox_(std::make_unique<Mailbox>(*this)),
      events_(events_per_round) {
  if (!epoll_ || !add(mailbox_->descriptor(), EPOLLIN, *mailbox_)) {
    throw std::system_error(errno, std::generic_category(), "epoll");
  }
  now_ms_ = monotonic_ms();
}

Loop::~Loop() { destroy_disposed(); }

template <class Step>
void Loop::guarded(Step&& step) noexcept {
  try {
    step();
  } catch (const std::exception& error) {
    if (on_failure) on_failure(error);
  }
}

bool Loop::add(int fd, std::uint32_t events, EventHandler& handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &handler;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Loop::remove(int fd) { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void Loop::post(std::function<void()> task) { mailbox_->leave(std::move(task)); }

void Loop::call(const std::function<void()>& task) {
  std::mutex mutex;
  std::condition_variable condition;
  bool done = false;
  std::exception_ptr thrown;
  post([&] {
    try {
      task();
    } catch (...) {
      thrown = std::current_exception();
    }
    const std::lock_guard lock(mutex);
    done = true;
    condition.notify_one();      // under the lock: the waiter's stack is gone as soon as it sees `done`
  });
  std::unique_lock lock(mutex);
  condition.wait(lock, [&] { return done; });
  if (thrown) std::rethrow_exception(thrown);
}

void Loop::stop() {
  post([this] { stopped_ = true; });
}

void Loop::run() {
  while (!stopped_) {
    wait(again_.empty() ? tick_ms : 0);
    while (step()) {
    }
    end_round();
  }
}

bool Loop::run_one(int timeout_ms) {
  if (next_event_ == event_count_ && (turns_left_ == 0 || again_.empty())) {
    end_round();
    wait(again_.empty() ? timeout_ms : 0);
  }
  return step();
}

void Loop::wait(std::int64_t timeout_ms) {
  const int count = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()),
                                 static_cast<int>(timeout_ms));
  next_event_ = 0;
  event_count_ = count > 0 ? static_cast<std::size_t>(count) : 0;
  turns_left_ = turns_per_round;
  now_ms_ = monotonic_ms();
}

bool Loop::step() {
  if (next_event_ < event_count_) {
    const epoll_event& event = events_[next_event_++];
    guarded([&] { static_cast<EventHandler*>(event.data.ptr)->on_events(event.events); });
    return true;
  }
  if (turns_left_ != 0 && !again_.empty()) {
    --turns_left_;
    EventHandler* handler = again_.front();
    again_.pop_front();
    guarded([&] { handler->on_events(0); });
    return true;
  }
  return false;
}

void Loop::end_round() {
  if (now_ms_ >= next_tick_ms_) {
    next_tick_ms_ = now_ms_ + tick_ms;
    if (on_tick) guarded([&] { on_tick(now_ms_); });
  }
  destroy_disposed();
}

void Loop::dispose(std::unique_ptr<Disposable> what) noexcept {
  if (!what) return;
  what->disposed_before_ = disposed_ != nullptr ? disposed_ : what.get();
  disposed_ = what.release();
}

void Loop::destroy_disposed() {
  // Destroying one may dispose of another.
  while (disposed_ != nullptr) {
    if (!again_.empty()) {
      std::erase_if(again_, [](const EventHandler* handler) { return handler->disposed_before_ != nullptr; });
    }
    for (Disposable* one = std::exchange(disposed_, nullptr); one != nullptr;) {
      Disposable* const before = one->disposed_before_;
      delete std::exchange(one, before == one ? nullptr : before);
    }
  }
}

}  // namespace baton::runtime
