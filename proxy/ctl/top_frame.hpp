// What `baton ctl top` shows, as text. What the other side sends is untrusted, as in show.hpp: it may have any form,
// and what is missing is shown as unknown.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace baton::ctl {

struct Window {
  std::size_t rows = 24;  // 0: as many as there is to show
  std::size_t columns = 80;
};

// Totals of which people want to know how fast they grow.
class Rates {
 public:
  // Those of names that are not among them are forgotten.
  void take(const std::map<std::string, std::uint64_t>& totals, std::int64_t at_ms);
  // Per second, between the last two totals. Nothing: there were no two.
  std::optional<double> of(const std::string& name) const;

 private:
  struct Rate {
    std::uint64_t total = 0;
    std::int64_t at_ms = 0;
    std::optional<double> per_second;
  };
  std::map<std::string, Rate> rates_;
};

// The last of everything that was heard. Empty: it was not.
struct Heard {
  boost::json::object status;   // /status
  boost::json::object history;  // /history
  boost::json::array servers;   // of /servers
  boost::json::array routes;    // of /routes
  Rates request_rate, server_rates, route_rates;
  std::string upgrade;      // one that runs, or has just ended, in words
  std::string problem;      // why nothing new is heard
  std::int64_t now_ms = 0;  // since 1970

  void take_status(const boost::json::object& said, std::int64_t at_ms);
  void take_servers(const boost::json::object& said, std::int64_t at_ms);
  void take_routes(const boost::json::object& said, std::int64_t at_ms);
};

// Lines without line ends behind the last; none is wider than the window, and there are no more than it has.
std::string top_frame(const Heard& heard, const Window& window, bool colours);

// A line of proxy/admin/upgrade_events.hpp in words; empty: it says nothing new.
std::string upgrade_in_words(const boost::json::object& event);

}  // namespace baton::ctl
