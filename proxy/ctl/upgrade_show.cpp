#include "proxy/ctl/upgrade_show.hpp"

#include <unistd.h>

#include <fmt/format.h>
#include <boost/json.hpp>

#include <algorithm>
#include <exception>
#include <iostream>
#include <utility>

#include "proxy/ctl/screen.hpp"
#include "proxy/ctl/show.hpp"
#include "proxy/ctl/terminal_text.hpp"

namespace baton::ctl {

namespace json = boost::json;

UpgradeShow::UpgradeShow(bool quiet) : quiet_(quiet), in_place_(!quiet && ::isatty(STDOUT_FILENO) == 1) {}

void UpgradeShow::take(std::string_view line) {
  if (result_ || broken_) return;
  try {
    show(json::parse({line.data(), line.size()}).as_object());
  } catch (const std::exception&) {
    broken_ = true;
  }
}

void UpgradeShow::end_bar() {
  if (std::exchange(bar_is_open_, false)) std::cout << "\n";
  shown_.clear();
  std::cout << std::flush;
}

void UpgradeShow::show(const json::object& event) {
  const json::string& name = event.at("event").as_string();
  if (name == "result") {
    result_ = event.at("upgrade").as_object();
    (void)upgrade_report(*result_);  // throws if it is not a report
  } else if (name == "rollback") {
    say("rollback " + rollback_text(event));
  } else if (name == "started") {
    say(fmt::format("started {} as PID {}", printable(event.at("binary").as_string()),
                    event.at("pid").to_number<std::int64_t>()));
  } else if (name == "ready") {
    say("the successor is ready");
  } else if (name == "probation") {
    show_probation(event);
  } else if (name == "canary") {
    show_canary(event);
  } else if (name == "recalled") {
    end_bar();
    say("the successor gives back what it has");
    recalled_ = true;
  } else if (name == "moving") {
    move(event.at("left").to_number<std::uint64_t>(), event.at("of").to_number<std::uint64_t>());
  }
}

// Not in place only now and then, and when the verdict changes: the lines go into some log.
void UpgradeShow::show_canary(const json::object& event) {
  constexpr std::uint64_t lines_every_ms = 10'000;
  const std::uint64_t left_ms = event.at("left_ms").to_number<std::uint64_t>();
  const std::string verdict(event.at("canary").at("verdict").as_string());
  const bool is_due = canary_left_ms_ - std::min(canary_left_ms_, left_ms) >= lines_every_ms;
  if (!in_place_ && verdict == canary_verdict_ && !is_due) return;
  canary_verdict_ = verdict;
  canary_left_ms_ = left_ms;
  show_in_place(canary_line(event));
}

void UpgradeShow::say(const std::string& text) const {
  if (!quiet_) std::cout << text << std::endl;
}

void UpgradeShow::show_probation(const json::object& event) {
  const auto number = [&](const char* key) { return event.at(key).to_number<std::uint64_t>(); };
  const std::uint64_t seconds = (number("left_ms") + 999) / 1000;
  show_in_place(fmt::format("on probation for {} s more: {} new connections, {} requests, {} of them failed", seconds,
                            number("accepted"), number("served"), number("failed")));
}

void UpgradeShow::move(std::uint64_t left, std::uint64_t of) {
  if (std::exchange(moves_, true) == false) {
    end_bar();
    say("connections move");
  }
  show_in_place(progress_bar(of - std::min(left, of), of));
}

// On a terminal each line replaces the previous one, all of its characters included, and is no wider than that.
void UpgradeShow::show_in_place(const std::string& whole) {
  const std::string text =
      in_place_ ? Line(std::max<std::size_t>(Screen::window().columns, 2) - 1, false).add(whole).take() : whole;
  if (quiet_ || text == shown_) return;
  const std::string blanks(shown_.size() > text.size() ? shown_.size() - text.size() : 0, ' ');
  shown_ = text;
  bar_is_open_ = in_place_;
  std::cout << (in_place_ ? "\r" + text + blanks : text + "\n") << std::flush;
}

}  // namespace baton::ctl
