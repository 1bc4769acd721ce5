// The main thread, as other threads see it. A conversation runs in a thread of its own, and the types say which parts
// of the server it touches: an `InMain` is run by the main thread while the conversation waits. Everything else that a
// conversation is given is safe in its thread: the workers' loops, atomic counts, the instance lock.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <cassert>
#include <functional>
#include <thread>
#include <type_traits>
#include <utility>

#include "handoff/conversation_thread.hpp"

namespace baton::proxy {

class MainThread {
 public:
  // Made in it. `context` runs its events and outlives this.
  explicit MainThread(boost::asio::io_context& context) : context_(context), id_(std::this_thread::get_id()) {}

  template <class Task>
  void post(Task task) const {
    boost::asio::post(context_, std::move(task));
  }
  // Waits for the result. Called in another thread.
  template <class Task>
  auto run(Task task) const {
    assert(std::this_thread::get_id() != id_);  // it would deadlock
    return handoff::run_there([this](auto job) { this->post(std::move(job)); }, std::move(task));
  }

 private:
  boost::asio::io_context& context_;
  const std::thread::id id_;
};

template <class Signature>
class InMain;

// A function of the main thread for another thread to call. An empty one that returns nothing does nothing.
template <class Result, class... Arguments>
class InMain<Result(Arguments...)> {
 public:
  InMain() = default;
  template <class Function>
  InMain(const MainThread& main, Function function) : main_(&main), function_(std::move(function)) {}

  Result operator()(Arguments... arguments) const {
    if constexpr (std::is_void_v<Result>) {
      if (!function_) return;
    }
    return main_->run([&]() -> Result { return function_(std::forward<Arguments>(arguments)...); });
  }

 private:
  const MainThread* main_ = nullptr;  // outlives the conversation
  std::function<Result(Arguments...)> function_;
};

}  // namespace baton::proxy
