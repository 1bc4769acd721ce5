// What all kinds have in common: one TCP connection, plain or with TLS, opened once, on which a read is always pending,
// so that a close or a byte that nobody asked for is noticed when it comes. The kinds that derive from it say what to
// send and judge what arrives.
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

 protected:
  // Connected, in TLS with a server that is the right one: the first thing to do.
  virtual void on_open() = 0;

  // Something has come; never called with nothing.
  virtual void on_bytes(std::string_view bytes) = 0;

  // The end is near: prove that the connection is alive. Called once, after `on_open`.
  virtual void on_finish() = 0;

  // A close by the server would cut something now.
  virtual bool under_way() const { return true; }

  // Called when what has come is dealt with; a kind that reads slowly reads on later.
  virtual void read_on() { receive(read_bytes); }

  // Small buffers in the kernel keep what is not read in the proxy.
  virtual std::optional<int> receive_buffer_bytes() const { return std::nullopt; }

  virtual std::string describe() const;

  // Sends after what is being sent already.
  void send(std::string_view bytes);

  // Bytes that the kernel has not taken yet.
  std::size_t unsent() const { return sending_.size() - sent_ + queued_.size(); }

  void receive(std::size_t bytes_max);

  // Patience begins anew; or nothing is waited for.
  void be_patient() { waiting_since_ = Clock::now(); }
  void be_content() { waiting_since_.reset(); }

  // The end, good or bad.
  void prove();
  void fail(Trouble trouble, std::string_view what);

  bool finishing() const { return finishing_; }
  unsigned number() const { return number_; }
  const boost::asio::ip::tcp::endpoint& server() const { return server_; }
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

  std::string sending_;  // untouched while a write is pending
  std::size_t sent_ = 0;
  std::string queued_;
  std::vector<char> received_;
};

}  // namespace baton::demo
