#include "demo/newcomers.hpp"

#include <algorithm>

namespace baton::demo {
namespace {

// Its first request is its only one.
class Newcomer final : public HttpClient {
 public:
  using HttpClient::HttpClient;

 private:
  void on_open() override {}
  void on_answer() override {}
};

}  // namespace

Newcomers::Newcomers(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account,
                     unsigned per_second)
    : context_(context),
      server_(server),
      number_(number),
      account_(account),
      interval_(Microseconds{1'000'000 / std::max(1u, per_second)}),
      ticker_(context) {}

void Newcomers::start() {
  welcome();
  ticker_.start(interval_, [this] { welcome(); });
}

void Newcomers::welcome() {
  if (is_told_to_rest_) return;
  // Its number is unique, which, as for every client, makes its requests unlike all others.
  here_.push_back(std::make_unique<Newcomer>(context_, server_, ++number_, account_));
  here_.back()->start();
  here_.back()->finish();
}

void Newcomers::check(Clock::time_point now) {
  for (const auto& newcomer : here_) newcomer->check(now);
  std::erase_if(here_, [this](const auto& newcomer) {
    if (newcomer->over()) moved_bytes_ += newcomer->moved_bytes();
    return newcomer->over();
  });
}

void Newcomers::finish() {
  finished_ = true;
  ticker_.stop();
}

}  // namespace baton::demo
