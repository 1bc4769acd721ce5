// Shows what `POST /upgrade`, `/promote` and `/rollback` report, as it comes.
#pragma once

#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace baton::ctl {

class UpgradeShow {
 public:
  explicit UpgradeShow(bool quiet);

  void take(std::string_view line);
  void end_bar();

  const std::optional<boost::json::object>& result() const { return result_; }
  bool is_broken() const { return broken_; }
  bool was_recalled() const { return recalled_; }

 private:
  void show(const boost::json::object& event);
  void say(const std::string& text) const;
  void show_probation(const boost::json::object& event);
  void show_canary(const boost::json::object& event);
  void move(std::uint64_t left, std::uint64_t of);
  void show_in_place(const std::string& text);

  const bool quiet_;
  const bool in_place_;
  std::string shown_;
  std::string canary_verdict_;
  std::uint64_t canary_left_ms_ = 0;  // at the last line
  bool bar_is_open_ = false;
  bool moves_ = false;
  bool recalled_ = false;
  bool broken_ = false;
  std::optional<boost::json::object> result_;
};

}  // namespace baton::ctl
