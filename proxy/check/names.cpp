#include "proxy/check/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "handoff/guarded.hpp"
#include "proxy/process/names.hpp"

namespace baton::check {

namespace {

constexpr std::size_t threads_max = 16;
constexpr std::size_t named_max = 3;
constexpr std::chrono::seconds tell_every{1};

// Shared with threads that may be left behind in the resolver.
struct LookUps {
  std::vector<std::string> to_do;
  std::set<std::string> unanswered;
  std::map<std::string, std::string> failed;
};
struct Shared {
  handoff::Guarded<LookUps> look_ups;
  std::condition_variable changed;
};

void work(const std::shared_ptr<Shared>& shared, LookUp look_up) {
  for (;;) {
    std::string host;
    {
      auto look_ups = shared->look_ups.lock();
      if (look_ups->to_do.empty()) return;
      host = std::move(look_ups->to_do.back());
      look_ups->to_do.pop_back();
    }
    const auto why = look_up(host);
    auto look_ups = shared->look_ups.lock();
    if (why) look_ups->failed[host] = *why;
    look_ups->unanswered.erase(host);
    shared->changed.notify_all();
  }
}

std::string in_words(const std::set<std::string>& hosts) {
  std::string text;
  std::size_t named = 0;
  for (const std::string& host : hosts) {
    if (named++ == named_max) return text + fmt::format(" and {} more", hosts.size() - named_max);
    text += (text.empty() ? "" : ", ") + host;
  }
  return text;
}

}  // namespace

std::optional<std::string> why_unknown(const std::string& host) {
  const auto addresses = process::look_up({.host = host});
  if (!addresses) return fmt::format("the host `{}` cannot be looked up: {}", host, addresses.error());
  return std::nullopt;
}

std::map<std::string, std::string> look_up_all(const std::set<std::string>& hosts, std::chrono::milliseconds limit,
                                               const std::function<void(const std::string& what)>& waiting,
                                               LookUp look_up) {
  const auto shared = std::make_shared<Shared>();
  shared->look_ups.lock()->to_do.assign(hosts.begin(), hosts.end());
  shared->look_ups.lock()->unanswered = hosts;
  try {
    for (std::size_t i = 0; i < std::min(hosts.size(), threads_max); ++i) std::thread(work, shared, look_up).detach();
  } catch (const std::system_error&) {
    // The threads that run do all of it. If there is none, no name is looked up in time, and the result says so.
  }

  const auto deadline = std::chrono::steady_clock::now() + limit;
  auto look_ups = shared->look_ups.lock();
  const auto is_done = [](const LookUps& now) { return now.unanswered.empty(); };
  while (!is_done(*look_ups) && std::chrono::steady_clock::now() < deadline) {
    const auto next = std::min(deadline, std::chrono::steady_clock::now() + tell_every);
    if (!look_ups.wait_until(shared->changed, next, is_done)) waiting(in_words(look_ups->unanswered));
  }
  auto failed = look_ups->failed;
  for (const std::string& host : look_ups->unanswered) {
    failed[host] = fmt::format("the host `{}` could not be looked up within {} ms", host, limit.count());
  }
  look_ups->to_do.clear();
  return failed;
}

}  // namespace baton::check
