#include "proxy/ctl/top.hpp"

#include <poll.h>
#include <sys/epoll.h>

#include <boost/json.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string_view>

#include "proxy/ctl/conversation.hpp"
#include "proxy/ctl/event_reader.hpp"
#include "proxy/ctl/screen.hpp"
#include "proxy/ctl/top_frame.hpp"

namespace baton::ctl {

namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds patience = 10s;
constexpr std::chrono::milliseconds tables_patience = 2s;
constexpr std::chrono::milliseconds every = 1s;
constexpr std::chrono::milliseconds retry = 500ms;
constexpr std::int64_t upgrade_shown_ms = 10'000;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

class Top {
 public:
  explicit Top(const std::vector<config::Address>& addresses) : addresses_(addresses) {}

  std::expected<void, std::string> print_once() {
    if (auto first = ask_for_status(); !first) return first;
    ask_for_tables();
    ::poll(nullptr, 0, static_cast<int>(every.count()));  // rates need two looks
    if (auto second = ask_for_status(); !second) return second;
    ask_for_tables();
    if (const auto history = get("/history", patience)) heard_.history = *history;
    std::cout << top_frame(heard_, {.rows = 0}, false) << std::endl;
    return {};
  }

  std::expected<void, std::string> go_on() {
    // Before the terminal is changed: whether Baton answers.
    if (auto first = ask_for_status(); !first) return first;
    Screen screen;
    screen_ = &screen;
    ask_for_tables();
    draw();
    while (!is_over_) {
      if (has_events_) listen();
      if (!has_events_) poll_once();
      if (!is_over_) pause(has_events_ ? retry : every);
    }
    screen_ = nullptr;
    return {};
  }

 private:
  // The object at a path; nothing: whatever the reason. The error of nobody's answer is kept.
  std::optional<json::object> get(const char* target, std::chrono::milliseconds wait) {
    Request request{.target = target, .answer_bytes_max = EventReader::data_bytes_max, .patience = wait};
    wake_by_screen(request);
    for (const config::Address& address : addresses_) {
      const auto answer = ask(address, request);
      if (!answer && !answer.error().asked) {
        if (why_.empty()) why_ = answer.error().text;
        continue;
      }
      if (!answer) why_ = answer.error().text;
      if (!answer || answer->status != 200) return std::nullopt;
      boost::system::error_code error;
      json::value value = json::parse(answer->body, error);
      if (error || !value.is_object()) return std::nullopt;
      return std::move(value.get_object());
    }
    return std::nullopt;
  }

  std::expected<void, std::string> ask_for_status() {
    why_.clear();
    const auto status = get("/status", patience);
    if (!status && !why_.empty()) return std::unexpected(why_);
    if (!status || !status->contains("generation"))
      return std::unexpected("the admin interface sent something that is not an answer from Baton");
    heard_.take_status(*status, now_ms());
    heard_.problem.clear();
    return {};
  }

  void ask_for_tables() {
    if (const auto servers = get("/servers", tables_patience)) heard_.take_servers(*servers, now_ms());
    if (const auto routes = get("/routes", tables_patience)) heard_.take_routes(*routes, now_ms());
  }

  // Of a version without events.
  void poll_once() {
    if (const auto said = ask_for_status(); !said) heard_.problem = "nobody answers";
    if (!is_over_ && heard_.problem.empty()) ask_for_tables();
    if (!is_over_) draw();
  }

  // Until the stream ends, or the user has enough.
  void listen() {
    EventReader reader([this](std::string_view event, std::string_view data) { take(event, data); });
    Request request{.target = "/events", .patience = patience};
    request.on_line = [&](std::string_view line) { reader.take_line(line); };
    wake_by_screen(request);
    for (const config::Address& address : addresses_) {
      const auto answer = ask(address, request);
      if (is_over_) return;
      // It has none, or all places are taken.
      if (answer && answer->status != 200) has_events_ = false;
      if (answer || answer.error().asked) break;
    }
    if (!has_events_) return;
    heard_.problem = "reconnecting";
    draw();
  }

  void take(std::string_view event, std::string_view data) {
    if (is_over_) return;
    boost::system::error_code error;
    const json::value value = json::parse({data.data(), data.size()}, error);
    if (error || !value.is_object()) return;
    const json::object& said = value.get_object();
    if (event == "status") {
      heard_.problem.clear();
      heard_.take_status(said, now_ms());
      if (heard_.now_ms - upgrade_at_ms_ > upgrade_shown_ms) heard_.upgrade.clear();
      ask_for_tables();
    } else if (event == "history") {
      heard_.history = said;
    } else if (event == "upgrade") {
      if (std::string words = upgrade_in_words(said); !words.empty()) heard_.upgrade = std::move(words);
      upgrade_at_ms_ = now_ms();
    } else {
      return;
    }
    draw();
  }

  void wake_by_screen(Request& request) {
    if (screen_ == nullptr) return;
    request.wake_fd = screen_->fd();
    request.on_wake = [this] { return act(); };
  }
  // False: the user has enough.
  bool act() {
    const Screen::Wish wish = screen_->act();
    is_over_ |= wish == Screen::Wish::end;
    if (wish == Screen::Wish::redraw) draw();
    return !is_over_;
  }
  void pause(std::chrono::milliseconds time) {
    const auto until = std::chrono::steady_clock::now() + time;
    for (auto left = time; left > 0ms && !is_over_;
         left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now())) {
      pollfd polled{screen_->fd(), POLLIN, 0};
      if (::poll(&polled, 1, static_cast<int>(left.count())) > 0) act();
    }
  }

  void draw() const {
    if (screen_ == nullptr || is_over_) return;
    const char* plain = std::getenv("NO_COLOR");
    screen_->draw(top_frame(heard_, Screen::window(), plain == nullptr || *plain == '\0'));
  }

  const std::vector<config::Address>& addresses_;
  Screen* screen_ = nullptr;
  Heard heard_;
  std::string why_;
  bool has_events_ = true;
  bool is_over_ = false;
  std::int64_t upgrade_at_ms_ = 0;
};

}  // namespace

std::expected<void, std::string> top(const std::vector<config::Address>& addresses, bool once) {
  Top top(addresses);
  return once || !Screen::is_there() ? top.print_once() : top.go_on();
}

}  // namespace baton::ctl
