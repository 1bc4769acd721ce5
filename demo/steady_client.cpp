#include "demo/steady_client.hpp"

namespace baton::demo {

SteadyClient::SteadyClient(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account,
                           Microseconds pause)
    : HttpClient(context, server, number, account), pause_(pause), timer_(context), varied_(number * 2654435761u + 1) {}

void SteadyClient::on_open() {
  ask();
}

void SteadyClient::on_answer() {
  varied_ = varied_ * 1664525u + 1013904223u;
  const double share = 0.5 + static_cast<double>(varied_ >> 8) / static_cast<double>(1u << 24);
  ask_later(std::chrono::duration_cast<Microseconds>(pause_ * share));
}

void SteadyClient::ask_later(Microseconds wait) {
  timer_.expires_after(wait);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && waiting()) ask();  // it may be over, or `finish` may have made it ask already
  });
}

}  // namespace baton::demo
