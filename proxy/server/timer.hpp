// A timer of the main thread on which something depends: it is set even while memory is short.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include <utility>

#include "handoff/insist.hpp"

namespace baton::proxy {

// Calls `then` after that time, unless the timer is cancelled or set again before.
template <class Then>
void call_after(boost::asio::steady_timer& timer, boost::asio::steady_timer::duration time, Then then) {
  handoff::insist([&] {
    timer.expires_after(time);
    timer.async_wait([then](boost::system::error_code error) {
      if (!error) then();
    });
  });
}

}  // namespace baton::proxy
