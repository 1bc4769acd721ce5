#include "demo/nginx_beside.hpp"

namespace baton::demo {
namespace {

constexpr std::chrono::milliseconds until_new_clients{1500};
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
  cut_before_ += rounds_.front()->cut();
  rounds_.pop_front();
}

std::uint64_t NginxBeside::Round::cut() const {
  return closed_before_reload ? tally.totals().closes() - *closed_before_reload : 0;
}

void NginxBeside::reload() {
  for (const auto& round : rounds_) {
    if (!round->closed_before_reload) round->closed_before_reload = round->tally.totals().closes();
  }
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
    view.live += round->tally.totals().live();
    view.cut += round->cut();
  }
  return view;
}

}  // namespace baton::demo
