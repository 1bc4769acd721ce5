#include "demo/socket_client.hpp"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <utility>

#include "demo/patience.hpp"

namespace baton::demo {

namespace asio = boost::asio;
using boost::system::error_code;

SocketClient::SocketClient(asio::io_context& context, const Entrance& server, unsigned number, Account& account)
    : wire_(context, server.tls), server_(server.endpoint), number_(number), account_(account) {}

void SocketClient::start() {
  account_.add_started();
  be_patient();
  const Wire::Options options{.receive_buffer_bytes = receive_buffer_bytes(), .protocol = protocol(), .from = from()};
  wire_.connect(server_, options, [this](const error_code& error) {
    if (error) return fail(Trouble::not_connected, error.message());
    opened();
  });
}

void SocketClient::opened() {
  account_.add_opened();
  if (const auto agreed = wire_.agreed_protocol(); agreed && *agreed != protocol()) {
    return fail(Trouble::wrong_answer, fmt::format("{} was not agreed on, but \"{}\"", protocol(), *agreed));
  }
  connected_ = true;
  be_content();
  read_on();
  on_open();
  if (finishing_ && !over_) on_finish();
}

void SocketClient::check(Clock::time_point now) {
  if (over_ || !waiting_since_ || now - *waiting_since_ < hung_after) return;
  if (!connected_) return fail(Trouble::not_connected, "not connected in time");
  fail(Trouble::no_answer, "nothing came in time");
}

void SocketClient::finish() {
  if (finishing_) return;
  finishing_ = true;
  if (connected_ && !over_) on_finish();
}

std::string SocketClient::describe() const {
  return fmt::format("client {}", number_);
}

std::string SocketClient::host() const {
  return fmt::format("{}:{}", server_.address().to_string(), server_.port());
}

void SocketClient::send(std::string_view bytes) {
  queued_ += bytes;
  if (sending_.empty()) send_more();
}

void SocketClient::send_more() {
  if (sent_ == sending_.size()) {
    sending_ = std::exchange(queued_, {});
    sent_ = 0;
    if (sending_.empty()) return;
  }
  wire_.async_write_some(asio::buffer(sending_.data() + sent_, sending_.size() - sent_),
                         [this](const error_code& error, std::size_t bytes) {
                           sent_ += bytes;
                           taken_bytes_ += bytes;
                           if (error) return fail(trouble_of(error), error.message());
                           if (end_) return fail(trouble_of(*end_), "closed by the server");
                           send_more();
                         });
}

void SocketClient::receive(std::size_t bytes_max) {
  received_.resize(bytes_max);
  wire_.async_read_some(asio::buffer(received_), [this](const error_code& error, std::size_t bytes) {
    if (bytes != 0) on_bytes({received_.data(), bytes});
    arrived_bytes_ += bytes;
    if (over_) return;
    // The kernel reports a reset once, maybe to the write that is under way, and an end to all others.
    if (is_end(error) && !sending_.empty()) {
      end_ = error;
      return;
    }
    if (error) return fail(trouble_of(error), is_end(error) ? "closed by the server" : error.message());
    read_on();
  });
}

Trouble SocketClient::trouble_of(const error_code& error) const {
  if (is_forged(error)) return Trouble::wrong_answer;
  if (account_.crash_goes_on() && is_reset(error)) return Trouble::reset_by_crash;
  return under_way() || !sending_.empty() ? Trouble::closed_in_request : Trouble::closed_between;
}

void SocketClient::prove() {
  account_.add_proven();
  end();
}

void SocketClient::fail(Trouble trouble, std::string_view what) {
  account_.add_trouble(trouble, fmt::format("{}: {}", describe(), what));
  end();
}

void SocketClient::end() {
  over_ = true;
  wire_.close();
}

}  // namespace baton::demo
