#include "scale/scale_clients.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <variant>

#include "clients/content.hpp"
#include "clients/dialogue.hpp"
#include "clients/events.hpp"
#include "clients/kinds.hpp"
#include "harness/client.hpp"
#include "scale/loop.hpp"
#include "scale/scale_client.hpp"
#include "scale/turns.hpp"

namespace baton::harness {

namespace {

using clients::Kind;

constexpr std::size_t piece_bytes = 100;
constexpr std::uint64_t bytes_to_move = 140;

// Sends one request after another on a keep-alive connection and checks that each answer belongs to its request.
class Asker final : public ScaleClient {
 public:
  // `always`: sends the next request as soon as it has an answer.
  Asker(Board& board, std::uint32_t id, bool always) : ScaleClient(board.http_port, board, id), always_(always) {
    ask();
  }

  void ask() {
    asks_ = true;
    target_ = clients::request_target(id_, ++serial_);
    send(get_request(target_));
  }
  void finish() override { always_ = false; }

 private:
  bool has_what_it_wants() const override { return always_ ? serial_ > 1 : !asks_; }

  void on_bytes(std::string_view bytes) override {
    answer_ += bytes;
    if (!asks_) return lose("bytes that nobody asked for: " + answer_);
    const std::size_t end = answer_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const std::string body = clients::expected_body(target_);
    if (answer_.size() < end + 4 + body.size()) return;
    if (!answer_.starts_with("HTTP/1.1 200 OK\r\n") || answer_.substr(end + 4) != body) {
      return lose("for " + target_ + " came " + answer_);
    }
    answer_.clear();
    asks_ = false;
    ++(is_steady_ ? board_.steady_answers : board_.idle_answers);
    if (always_) ask();
  }

  bool always_;
  const bool is_steady_ = always_;
  bool asks_ = false;
  std::uint64_t serial_ = 0;
  std::string target_;
  std::string answer_;
};

// Receives events or, in a tunnel, the echo of its own bytes.
class Lasting final : public ScaleClient {
 public:
  Lasting(Board& board, std::uint32_t id, Kind kind) : Lasting(board, id, kind, target_of(id, kind)) {}

  // A tunnel sends one more piece when the last one has come back.
  void talk() {
    auto* echo = std::get_if<Echo>(&heard_);
    if (echo == nullptr || is_finishing_ || !head_is_here_ || has_ended() || received_ < echo->said) return;
    send(echo->content.at(echo->said, piece_bytes));
    echo->said += piece_bytes;
  }
  void move_bytes() override { wanted_ = received_ + bytes_to_move; }
  void finish() override { is_finishing_ = true; }

 private:
  struct Echo {
    clients::Content content;
    std::uint64_t said = 0;
  };
  using Heard = std::variant<clients::EventJudge, Echo>;

  Lasting(Board& board, std::uint32_t id, Kind kind, const std::string& target)
      : ScaleClient(clients::entry(kind).listener == clients::Listener::tcp ? board.tcp_port : board.http_port, board,
                    id),
        heard_(heard_by(kind, target)) {
    send(get_request(target, kind == Kind::events ? "" : "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  }

  static std::string target_of(std::uint32_t id, Kind kind) {
    return std::string(kind == Kind::events ? clients::events_prefix : clients::websocket_prefix) + std::to_string(id);
  }

  static Heard heard_by(Kind kind, const std::string& target) {
    if (kind == Kind::events) return clients::EventJudge(target);
    return Echo{.content = clients::Content(target)};
  }

  bool has_what_it_wants() const override {
    if (!is_finishing_) return received_ >= wanted_;
    const auto* events = std::get_if<clients::EventJudge>(&heard_);
    return events != nullptr ? events->ended() : received_ == std::get<Echo>(heard_).said;
  }

  void on_bytes(std::string_view bytes) override {
    if (head_is_here_) return take(bytes);
    head_ += bytes;
    const std::size_t end = head_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const bool is_tunnel = std::holds_alternative<Echo>(heard_);
    if (!head_.starts_with(is_tunnel ? "HTTP/1.1 101 " : "HTTP/1.1 200 ")) return lose("answered by " + head_);
    head_is_here_ = true;
    const std::string rest = head_.substr(end + 4);
    head_ = {};
    if (!rest.empty()) take(rest);
    talk();
  }

  void take(std::string_view bytes) {
    if (auto* events = std::get_if<clients::EventJudge>(&heard_)) {
      if (const std::string wrong = events->take(bytes); !wrong.empty()) return lose(wrong);
      board_.stream_bytes += bytes.size();
    } else {
      const Echo& echo = std::get<Echo>(heard_);
      if (received_ + bytes.size() > echo.said) return lose("more than was said");
      if (!echo.content.matches(received_, bytes)) return lose("wrong after " + std::to_string(received_));
      board_.tunnel_bytes += bytes.size();
    }
    received_ += bytes.size();
  }

  Heard heard_;
  bool head_is_here_ = false;
  bool is_finishing_ = false;
  std::string head_;
  std::uint64_t received_ = 0;
  std::uint64_t wanted_ = 1;
};

class ScaleClients {
 public:
  ScaleClients(Board& board, const Crowd& crowd) : board_(board), crowd_(crowd) {}

  void run() {
    while (board_.task != Task::leave) {
      loop_.run_once();
      tunnels_.tick([](Lasting& tunnel) { tunnel.talk(); });
      carry_on();
    }
  }

 private:
  void carry_on() {
    if (board_.orders == board_.carried_out) return;
    if (!under_way_) begin();
    std::erase_if(unsettled_, [](const ScaleClient* client) { return client->is_settled(); });
    while (begun_ < to_begin_ && unsettled_.size() < at_once_max) {
      unsettled_.push_back(&(board_.task == Task::open ? open(begun_) : ask(begun_)));
      ++begun_;
    }
    if (!unsettled_.empty() || begun_ < to_begin_) return;
    under_way_ = false;
    ++board_.carried_out;
  }

  void begin() {
    under_way_ = true;
    begun_ = 0;
    to_begin_ = board_.task == Task::open ? crowd_.connections() : board_.task == Task::ask_idle ? idle_.size() : 0;
    if (to_begin_ != 0) return;
    unsettled_ = all_;
    for (ScaleClient* client : all_) board_.task == Task::finish ? client->finish() : client->move_bytes();
  }

  // Steady clients come first; then idle and active ones, mixed as in real traffic.
  ScaleClient& open(std::size_t number) {
    const auto id = static_cast<std::uint32_t>(number);
    if (number < crowd_.steady) return added(std::make_unique<Asker>(board_, id, true));
    const std::size_t every = (crowd_.idle + crowd_.active) / crowd_.active;
    const std::size_t active = (number - crowd_.steady) / every;
    if ((number - crowd_.steady) % every != 0 || active >= crowd_.active) {
      Asker& asker = added(std::make_unique<Asker>(board_, id, false));
      idle_.push_back(&asker);
      return asker;
    }
    constexpr Kind kinds[] = {Kind::events, Kind::websocket, Kind::raw_tcp};
    const Kind kind = kinds[active % std::size(kinds)];
    Lasting& lasting = added(std::make_unique<Lasting>(board_, id, kind));
    if (kind != Kind::events) tunnels_.add(lasting);
    return lasting;
  }

  ScaleClient& ask(std::size_t number) {
    idle_[number]->ask();
    return *idle_[number];
  }

  template <class SomeClient>
  SomeClient& added(std::unique_ptr<SomeClient> client) {
    SomeClient& one = loop_.add(std::move(client));
    all_.push_back(&one);
    return one;
  }

  Board& board_;
  const Crowd crowd_;
  Loop loop_;
  std::vector<ScaleClient*> all_;
  std::vector<Asker*> idle_;
  Turns<Lasting> tunnels_;

  bool under_way_ = false;
  std::vector<ScaleClient*> unsettled_;
  std::size_t begun_ = 0;
  std::size_t to_begin_ = 0;
};

}  // namespace

void run_scale_clients(Board& board, const Crowd& crowd) {
  ScaleClients(board, crowd).run();
}

}  // namespace baton::harness
