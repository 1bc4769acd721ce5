#include "proxy/server/remembered_signals.hpp"

#include <algorithm>
#include <csignal>

#include "handoff/insist.hpp"

namespace baton::proxy {

void RememberedSignals::remember(int signal) {
  handoff::insist([&] { signals_.push_back(signal); });
}

void RememberedSignals::forget(int signal) {
  sent_ -= static_cast<std::size_t>(
      std::count(signals_.begin(), signals_.begin() + static_cast<std::ptrdiff_t>(sent_), signal));
  std::erase(signals_, signal);
}

std::vector<int> RememberedSignals::to_obey() const {
  const auto came = [this](int signal) { return std::ranges::find(signals_, signal) != signals_.end(); };
  std::vector<int> order;
  handoff::insist([&] { order.reserve(3); });
  for (const int signal : {SIGUSR1, SIGHUP}) {
    if (came(signal)) order.push_back(signal);
  }
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGUSR2}) {
    if (!came(signal)) continue;
    order.push_back(signal);
    break;
  }
  return order;
}

}  // namespace baton::proxy
