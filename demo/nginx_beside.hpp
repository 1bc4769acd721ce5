// nginx and clients of its own, beside Baton and its clients. It is reloaded whenever Baton is upgraded.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "demo/load.hpp"
#include "demo/nginx.hpp"

namespace baton::demo {

// What the page says of nginx.
struct BesideView {
  std::string version;
  std::string failure;     // why it does not serve; the rest then is as it was last
  std::uint64_t live = 0;  // connections that are open now
  std::uint64_t cut = 0;   // that it has closed since the start
  std::uint64_t reloads = 0;
  std::size_t old_workers = 0;
};

class NginxBeside {
 public:
  // Throws std::runtime_error if nginx cannot be made to serve.
  NginxBeside(const std::string& program, const boost::asio::ip::tcp::endpoint& origin, const TempDir& dir,
              Patience& patience);

  void reload();

  // To be called every now and then: some time after a reload, as many new clients connect as were there before.
  void tend(Clock::time_point now);

  BesideView view() const;

 private:
  // Clients that connected between the same two reloads. Their WebSockets stay as long as they may.
  struct Round {
    Tally tally;
    std::unique_ptr<Load> load;
    std::optional<std::uint64_t> closed_before_reload;

    // What was closed earlier was closed by a timeout.
    std::uint64_t cut() const;
  };
  void begin_round();

  Nginx nginx_;
  std::deque<std::unique_ptr<Round>> rounds_;
  std::uint64_t cut_before_ = 0;  // in rounds that are gone
  std::uint64_t reloads_ = 0;
  std::optional<Clock::time_point> reloaded_;  // and no client has connected since
};

}  // namespace baton::demo
