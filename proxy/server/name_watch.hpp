// `resolve`: the names of servers are looked up again and again, by the instance alone. An answer that differs changes
// the servers; a failure changes nothing. Runs in the main thread; name servers are asked off it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "proxy/server/background.hpp"
#include "proxy/server/data_path.hpp"
#include "proxy/server/role.hpp"
#include "proxy/server/supervision.hpp"

namespace baton::proxy {

class NameWatch {
 public:
  struct Parts {  // all outlive it
    const Role& role;
    DataPath& data_path;
    Supervision& supervision;
    Background& background;
  };
  NameWatch(boost::asio::io_context& context, Parts parts) : parts_(parts), timer_(context) {}

  // Asks what the current settings ask from now on.
  void watch();

 private:
  using Clock = std::chrono::steady_clock;
  struct Asked {
    process::Question question;
    config::Milliseconds every;
    Clock::time_point due;
    bool is_under_way = false;
    bool has_failed = false;  // the last time
  };
  struct Round {
    std::vector<std::string> texts;
    std::vector<process::Question> questions;
    std::chrono::milliseconds limit;
  };

  void wake_when_due();
  void look();
  void ask(Round round);
  void answered(const std::vector<std::string>& texts, std::vector<process::Answer> answers);
  // Returns the news as a line for people.
  std::optional<std::string> learn(Asked& asked, process::Answer& answer, state::KnownNames& names);
  Clock::time_point next(config::Milliseconds every);

  const Parts parts_;
  boost::asio::steady_timer timer_;
  std::map<std::string, Asked> asked_;  // by the question's text
  std::minstd_rand random_{std::random_device()()};
};

}  // namespace baton::proxy
