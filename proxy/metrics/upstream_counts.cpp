#include "proxy/metrics/upstream_counts.hpp"

namespace baton::metrics {

void UpstreamCounts::settle(std::string_view upstream) noexcept {
  const auto name = [&](std::string_view family) {
    return [upstream, family] { return series_name(family, {{"upstream", upstream}}); };
  };
  connect.settle(name("upstream_connect_duration_seconds"));
  first_byte.settle(name("upstream_first_byte_duration_seconds"));
  queue.settle(name("upstream_queue_duration_seconds"));
  retries.settle(name("upstream_retries_total"));
  resets.settle(name("upstream_resets_total"));
  for (std::size_t i = 0; i < connect_failures.size(); ++i) {
    connect_failures[i].settle([&] {
      return series_name("upstream_connect_failures_total",
                         {{"upstream", upstream}, {"reason", connect_failure_words[i]}});
    });
  }
}

}  // namespace baton::metrics
