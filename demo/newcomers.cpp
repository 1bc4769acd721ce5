#include "demo/newcomers.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace baton::demo {
namespace {

// Its only request is its last one.
class Newcomer final : public HttpClient {
 public:
  using HttpClient::HttpClient;

 private:
  void on_open() override {}
  void on_answer() override {}
};

}  // namespace

Newcomers::Newcomers(boost::asio::io_context& context, boost::asio::ip::tcp::endpoint server, unsigned per_second,
                     Account& account)
    : context_(context),
      server_(std::move(server)),
      interval_(Microseconds{1'000'000 / std::max(1u, per_second)}),
      account_(account),
      ticker_(context) {}

void Newcomers::start() {
  welcome();
  ticker_.start(interval_, [this] { welcome(); });
}

void Newcomers::welcome() {
  // Its numbers are its own; as every client's do, they make its requests unlike all others.
  here_.push_back(std::make_unique<Newcomer>(context_, server_, 1'000'000 + ++number_, account_));
  here_.back()->start();
  here_.back()->finish();
}

void Newcomers::check(Clock::time_point now) {
  gone_.clear();
  for (const auto& newcomer : here_) newcomer->check(now);
  const auto first_gone =
      std::partition(here_.begin(), here_.end(), [](const auto& client) { return !client->over(); });
  std::move(first_gone, here_.end(), std::back_inserter(gone_));
  here_.erase(first_gone, here_.end());
}

void Newcomers::finish() {
  finished_ = true;
  ticker_.stop();
}

}  // namespace baton::demo
