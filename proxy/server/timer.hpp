// A timer of the main thread that must be set: setting it succeeds even when memory is short.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include <utility>

#include "handoff/insist.hpp"

namespace baton::proxy {

// Calls `then` after `time`, unless the timer is cancelled or set again first. Once it has expired, neither that nor the
// timer's end keeps the call from coming.
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
