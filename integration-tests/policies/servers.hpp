// The servers of the policies' test: three origins that say who they are and which client they were told of, and count.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "harness/origin.hpp"

namespace baton::harness {

class PolicyServers {
 public:
  PolicyServers() {
    for (std::size_t i = 0; i < origins_.size(); ++i) {
      origins_[i].on("*", [this, i](Exchange& exchange) { answer(exchange, static_cast<int>(i + 1)); });
    }
    // What `named` is called from time to time.
    elsewhere_.on("*", [](Exchange& exchange) { exchange.respond("elsewhere"); });
  }

  // From 1 on.
  Origin& at(int number) { return origins_[static_cast<std::size_t>(number - 1)]; }
  std::string address(int number) const { return origins_[static_cast<std::size_t>(number - 1)].address().text(); }

  // How many requests to the upstream, the first segment of the path, this server has answered.
  int count(const std::string& upstream, int number) const {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find({upstream, number});
    return found == counts_.end() ? 0 : found->second;
  }
  // The most requests to `limited` that were here at a time, since the last call.
  int most_at_a_time() { return most_.exchange(0); }

 private:
  void answer(Exchange& exchange, int number) {
    const std::string target = exchange.request.target();
    if (target == "/healthz") {
      exchange.respond("", number == 3 ? "503 Unwell" : "200 OK");
      return;
    }
    const std::string upstream = target.substr(1, target.find('/', 1) - 1);
    {
      const std::lock_guard lock(mutex_);
      ++counts_[{upstream, number}];
    }
    if (target.ends_with("/held")) exchange.origin.gate().pass();
    if (target.ends_with("/fails") && number == 3) return exchange.respond("", "503 On Request");
    if (upstream == "limited") {
      const int here = ++here_;
      int most = most_;
      while (here > most && !most_.compare_exchange_weak(most, here)) {
      }
      std::this_thread::yield();
    }
    const std::string text =
        std::to_string(number) + " for " + exchange.request.field("X-Forwarded-For").value_or("nobody");
    if (upstream == "limited") --here_;
    exchange.respond(text);
  }

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, int> counts_;
  std::atomic<int> here_ = 0;
  std::atomic<int> most_ = 0;
  std::array<Origin, 3> origins_;
  Origin elsewhere_{{"127.0.0.2", origins_[0].address().port, {}}};
};

}  // namespace baton::harness
