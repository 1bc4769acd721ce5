#include "proxy/server/background.hpp"

#include <pthread.h>

#include <boost/asio/post.hpp>

#include <thread>
#include <utility>

#include "handoff/insist.hpp"

namespace baton::proxy {

namespace asio = boost::asio;

struct Background::State {
  asio::io_context* context;  // null: the result is no longer wanted
  std::size_t running = 0;
};

Background::Background(asio::io_context& context)
    : state_(std::make_shared<handoff::Guarded<State>>(State{.context = &context})) {}

Background::~Background() {
  state_->lock()->context = nullptr;
}

void Background::run(Work work) {
  // The starting thread counts it, so that work that is about to begin already counts as under way.
  ++state_->lock()->running;
  const auto end = [](handoff::Guarded<State>& guarded, Rest rest) {
    auto state = guarded.lock();
    --state->running;
    if (state->context == nullptr || !rest) return;
    const auto shared = handoff::insist([&] { return std::make_shared<Rest>(std::move(rest)); });
    handoff::insist([&] { asio::post(*state->context, [shared] { (*shared)(); }); });
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
  return state_->lock()->running != 0;
}

}  // namespace baton::proxy
