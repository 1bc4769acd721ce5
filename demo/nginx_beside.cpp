#include "demo/nginx_beside.hpp"

namespace baton::demo {
namespace {

constexpr std::chrono::milliseconds until_new_clients{2500};
constexpr std::size_t rounds_max = 5;
constexpr Mix mix{.keep_alive = 40, .idle = 8, .websocket = 2, .pause = Microseconds{400'000}};

}  // namespace

NginxBeside::NginxBeside(const std::string& program, const boost::asio::ip::tcp::endpoint& origin, const TempDir& dir,
                         Patience& patience)
    : nginx_(program, origin, dir, patience) {
  begin_round();
}

void NginxBeside::begin_round() {
  rounds_.push_back(std::make_unique<Round>());
  Round& round = *rounds_.back();
  round.load = std::make_unique<Load>(
      std::vector<Crowd>{{.server = {.http = {nginx_.endpoint(), nullptr}, .tcp = {}}, .mix = mix}}, round.tally);
  if (rounds_.size() <= rounds_max) return;
  cut_before_ += rounds_.front()->tally.totals().closes();
  rounds_.pop_front();
}

void NginxBeside::reload() {
  nginx_.reload();
  ++reloads_;
  reloaded_ = Clock::now();
}

void NginxBeside::tend(Clock::time_point now) {
  if (!reloaded_ || now - *reloaded_ < until_new_clients) return;
  reloaded_.reset();
  begin_round();
}

BesideView NginxBeside::view() const {
  BesideView view{
      .version = nginx_.version(), .cut = cut_before_, .reloads = reloads_, .old_workers = nginx_.old_workers()};
  for (const auto& round : rounds_) {
    const Totals totals = round->tally.totals();
    view.live += totals.live();
    view.cut += totals.closes();
  }
  return view;
}

}  // namespace baton::demo
