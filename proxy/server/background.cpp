#include "proxy/server/background.hpp"

#include <pthread.h>

#include <boost/asio/post.hpp>

#include <mutex>
#include <thread>
#include <utility>

#include "handoff/insist.hpp"

namespace baton::proxy {

namespace asio = boost::asio;

struct Background::State {
  std::mutex mutex;
  asio::io_context* context;  // null: the result is no longer wanted
  std::size_t running = 0;
};

Background::Background(asio::io_context& context) : state_(std::make_shared<State>()) {
  state_->context = &context;
}

Background::~Background() {
  const std::lock_guard lock(state_->mutex);
  state_->context = nullptr;
}

void Background::run(Work work) {
  // The starting thread counts it, so that work that is about to begin already counts as under way.
  {
    const std::lock_guard lock(state_->mutex);
    ++state_->running;
  }
  const auto end = [](State& state, Rest rest) {
    const std::lock_guard lock(state.mutex);
    --state.running;
    if (state.context == nullptr || !rest) return;
    const auto shared = handoff::insist([&] { return std::make_shared<Rest>(std::move(rest)); });
    handoff::insist([&] { asio::post(*state.context, [shared] { (*shared)(); }); });
  };
  try {
    std::thread thread([state = state_, work = std::move(work), end]() mutable {
      Rest rest = handoff::insist([&] { return work(); });
      work = nullptr;  // what it owns ends here
      end(*state, std::move(rest));
    });
    ::pthread_setname_np(thread.native_handle(), "background");
    thread.detach();
  } catch (...) {
    end(*state_, {});
    throw;
  }
}

bool Background::is_busy() const {
  const std::lock_guard lock(state_->mutex);
  return state_->running != 0;
}

}  // namespace baton::proxy
