#include "proxy/server/health_watch.hpp"

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "proxy/runtime/log.hpp"
#include "proxy/server/timer.hpp"

namespace baton::proxy {

namespace log = runtime::log;

using state::Health;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds look_at_health_every(100);
// A service of thousands of servers must not use up descriptors for its checks.
constexpr std::size_t probes_max = 128;

}  // namespace

void HealthWatch::watch() {
  const std::shared_ptr<const Settings> now = parts_.data_path.settings();
  const Settings& settings = *now;
  auto before = std::exchange(probed_, {});
  has_any_ = false;
  for (std::size_t i = 0; i < settings.upstreams.size(); ++i) {
    const auto& health = settings.config.upstreams[i].health;
    if (!health) continue;
    has_any_ = true;
    if (!health->active) continue;
    for (const upstream::ServerAddress& server : settings.upstreams[i].servers) {
      Probed probed{.standing = server.standing,
                    .target = {.address = server.address,
                               .host = server.host,
                               .tls = settings.upstreams[i].tls,
                               .proxy_header = settings.upstreams[i].proxy_header,
                               .terms = *health->active,
                               .protocol = settings.upstreams[i].protocol},
                    .due = Clock::now()};
      // Probes continue as they were; a result under way still counts.
      if (const auto same = before.find(server.standing.get()); same != before.end()) {
        probed.due = std::min(same->second.due, Clock::now() + health->active->every);
        probed.probe = same->second.probe;
        probed.run = same->second.run;
      }
      probed_.emplace(server.standing.get(), std::move(probed));
    }
  }
  if (probes()) drop_verdicts();
  watched_ = now;
  look_later();
}

void HealthWatch::look_later() {
  call_after(timer_, look_at_health_every, [this] {
    look_later();
    look();
  });
}

// Otherwise another process is the instance, or will be: then it probes.
bool HealthWatch::probes() const {
  return parts_.role.is_serving() || parts_.role.has_canary();
}

void HealthWatch::look() {
  const bool was_serving = std::exchange(was_serving_, probes());
  if (!was_serving_) return;
  // A changed certificate or name is a new configuration, too.
  if (parts_.data_path.settings() != watched_) watch();
  const std::int64_t now_ms = runtime::monotonic_ms();
  if (!was_serving) {
    drop_verdicts();
    looked_ms_ = now_ms;
  }
  tell_of_readmitted(now_ms);
  begin_due();
  if (has_any_ || !ejected_.empty()) return;
  // There is nothing to look at until a reload.
  timer_.cancel();
  was_serving_ = false;
  watched_ = nullptr;
}

void HealthWatch::drop_verdicts() {
  const Settings& settings = *parts_.data_path.settings();
  for (std::size_t i = 0; i < settings.upstreams.size(); ++i) {
    const auto& health = settings.config.upstreams[i].health;
    for (const upstream::ServerAddress& server : settings.upstreams[i].servers) {
      const state::ServerFacts facts = server.standing->facts();
      const std::int64_t now_ms = runtime::monotonic_ms();
      const bool has_verdict = facts.health != Health::unknown && !(health && health->active);
      const bool is_ejected = facts.ejected_until_ms > now_ms && !(health && health->passive);
      if (!has_verdict && !is_ejected) continue;
      server.standing->change([&](state::ServerFacts& now) {
        if (has_verdict) {
          now.health = Health::unknown;
          now.health_ms = now_ms;
          now.health_why.clear();
        }
        if (is_ejected) {
          now.ejected_until_ms = now.ejected_ms = now_ms;
          now.ejections = 0;
          now.slow_since_ms = now_ms;
        }
      });
    }
  }
}

void HealthWatch::tell_of_readmitted(std::int64_t now_ms) {
  std::erase_if(ejected_, [&](const auto& standing) {
    if (standing->facts().ejected_until_ms > now_ms) return false;
    log::info("upstream {}: server {} is no longer ejected", standing->upstream, standing->address);
    return true;
  });
  const Settings& settings = *parts_.data_path.settings();
  for (std::size_t i = 0; i < settings.upstreams.size(); ++i) {
    const auto& health = settings.config.upstreams[i].health;
    if (!health || !health->passive) continue;
    for (const upstream::ServerAddress& server : settings.upstreams[i].servers) {
      // Also those whose ejection has begun and ended since.
      if (server.standing->takes_its_clients(looked_ms_)) continue;
      if (server.standing->facts().ejected_until_ms > looked_ms_) ejected_.insert(server.standing);
    }
  }
  looked_ms_ = now_ms;
}

void HealthWatch::begin_due() {
  auto under_way =
      static_cast<std::size_t>(std::ranges::count_if(probed_, [](const auto& one) { return one.second.probe != 0; }));
  // Those that are due longest come first, so that none waits for ever while others hang.
  std::vector<Probed*> due;
  for (auto& [standing, probed] : probed_) {
    if (probed.probe == 0 && probed.due <= Clock::now()) due.push_back(&probed);
  }
  std::ranges::sort(due, {}, &Probed::due);
  for (Probed* const one : due) {
    if (under_way == probes_max) return;
    Probed& probed = *one;
    if (!prober_) {
      prober_ = std::make_unique<health::Prober>([this](std::uint64_t id, health::Prober::Result result) {
        parts_.main.post([this, id, result = std::move(result)] { this->probed(id, result); });
      });
    }
    prober_->probe(last_probe_ + 1, probed.target);
    probed.probe = ++last_probe_;
    ++under_way;
  }
}

void HealthWatch::probed(std::uint64_t id, const health::Prober::Result& result) {
  const auto found = std::ranges::find_if(probed_, [&](const auto& one) { return one.second.probe == id; });
  if (found == probed_.end()) return;  // no longer in the configuration
  Probed& probed = found->second;
  const config::ActiveHealth& terms = probed.target.terms;
  probed.probe = 0;
  // Many servers, and many processes, are started together: each spreads its probes by a tenth either way.
  std::uniform_int_distribution<std::int64_t> around(terms.every.count() * 9 / 10, terms.every.count() * 11 / 10);
  probed.due = Clock::now() + milliseconds(around(random_));
  if (!probes()) return;
  metrics::ledger().add(
      metrics::series_name("server_health_checks_total", {{"upstream", probed.standing->upstream},
                                                          {"server", probed.standing->address},
                                                          {"result", result.empty() ? "passed" : "failed"}}));
  const Health now = probed.standing->facts().health;
  const auto verdict = probed.run.note(result.empty(), now, {.up = terms.up, .down = terms.down});
  if (verdict) apply(probed, *verdict, result);
}

void HealthWatch::apply(const Probed& probed, Health verdict, const health::Prober::Result& result) {
  upstream::Standing& standing = *probed.standing;
  const std::int64_t now_ms = runtime::monotonic_ms();
  Health before{};
  standing.change([&](state::ServerFacts& facts) {
    before = std::exchange(facts.health, verdict);
    facts.health_ms = now_ms;
    facts.health_why = result;
    if (before == Health::down) facts.slow_since_ms = now_ms;
  });
  const unsigned probes = probed.run.in_a_row();
  const std::string_view plural = probes == 1 ? "" : "s";
  if (verdict == Health::down) {
    log::warning("upstream {}: server {} is down: {} ({} probe{})", standing.upstream, standing.address, result, probes,
                 plural);
  } else if (before == Health::down) {
    log::info("upstream {}: server {} is up ({} probe{})", standing.upstream, standing.address, probes, plural);
  } else {
    log::debug("upstream {}: server {} is up ({} probe{})", standing.upstream, standing.address, probes, plural);
  }
}

}  // namespace baton::proxy
