// Common to all kinds: one TCP connection, plain or with TLS, opened once. A read is always pending, so that a close or
// an unexpected byte is noticed at once. Derived kinds decide what to send and judge what arrives.
#pragma once

#include <boost/asio/io_context.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "demo/client.hpp"
#include "demo/entrances.hpp"
#include "demo/tally.hpp"
#include "demo/wire.hpp"

namespace baton::demo {

class SocketClient : public Client {
 public:
  // `number` names the client. `context` and `account` must outlive it.
  SocketClient(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account);

  void start() final;
  void check(Clock::time_point now) final;
  void finish() final;
  bool over() const final { return over_; }
  std::uint64_t moved_bytes() const override { return arrived_bytes_; }

 protected:
  // Called first, once the client is connected and, with TLS, has verified the server.
  virtual void on_open() = 0;

  // Data has arrived; never called without data.
  virtual void on_bytes(std::string_view bytes) = 0;

  // The end is near: prove that the connection is alive. Called once, after `on_open`.
  virtual void on_finish() = 0;

  // Whether a close by the server would cut something off now.
  virtual bool under_way() const { return true; }

  // Called when the received data has been handled; a kind that reads slowly continues to read later.
  virtual void read_on() { receive(read_bytes); }

  // Small kernel buffers, so that unread data stays in the proxy.
  virtual std::optional<int> receive_buffer_bytes() const { return std::nullopt; }

  // Offered by ALPN where there is TLS, and insisted on; empty: none.
  virtual std::string_view protocol() const { return {}; }

  // The address that it connects from; none: whichever the system chooses.
  virtual std::optional<boost::asio::ip::address> from() const { return std::nullopt; }

  virtual std::string describe() const;

  // Sends after any data already being sent.
  void send(std::string_view bytes);

  // Bytes that the kernel has not taken yet.
  std::size_t unsent() const { return sending_.size() - sent_ + queued_.size(); }

  // Bytes that the kernel has taken.
  std::uint64_t taken_bytes() const { return taken_bytes_; }

  void receive(std::size_t bytes_max);

  // Restarts or stops the wait for an answer.
  void be_patient() { waiting_since_ = Clock::now(); }
  void be_content() { waiting_since_.reset(); }

  // The end, good or bad.
  void prove();
  void fail(Trouble trouble, std::string_view what);

  bool finishing() const { return finishing_; }
  unsigned number() const { return number_; }
  std::string host() const;  // of the server, as a request names it
  Account& account() { return account_; }

  static constexpr std::size_t read_bytes = 16 * 1024;

 private:
  void opened();
  void send_more();
  Trouble trouble_of(const boost::system::error_code& error) const;
  void end();

  Wire wire_;
  boost::asio::ip::tcp::endpoint server_;
  unsigned number_;
  Account& account_;  // outlives the client
  bool connected_ = false;
  bool finishing_ = false;
  bool over_ = false;
  std::optional<Clock::time_point> waiting_since_;

  std::optional<boost::system::error_code> end_;  // to be judged when the write under way is over
  std::string sending_;   // untouched while a write is pending
  std::size_t sent_ = 0;  // of these
  std::string queued_;
  std::vector<char> received_;
  std::uint64_t taken_bytes_ = 0;
  std::uint64_t arrived_bytes_ = 0;
};

}  // namespace baton::demo
