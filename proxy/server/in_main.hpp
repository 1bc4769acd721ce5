// Runs a task of a conversation's thread in the main thread and returns its result.
#pragma once

#include <boost/asio/post.hpp>

#include <future>

#include "proxy/server/server.hpp"

namespace baton::proxy {

template <class Task>
auto Server::in_main(Task task) {
  std::packaged_task<decltype(task())()> packaged(std::move(task));
  auto result = packaged.get_future();
  boost::asio::post(context_, [&packaged] { packaged(); });
  result.wait();
  return result.get();
}

}  // namespace baton::proxy
