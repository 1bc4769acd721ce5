#include "proxy/worker/descriptors.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>

#include "proxy/worker/settings.hpp"

namespace baton::proxy {

namespace {

constexpr std::uint64_t usually_reserved = 256;
constexpr std::uint64_t listening_sockets_reserved = 64;  // of those: for this many, which a reload briefly has twice,
constexpr std::uint64_t workers_reserved = 32;            // and two for each of this many workers
constexpr std::uint64_t least_reserved = 24;              // besides workers and listening sockets

std::uint64_t beyond(std::uint64_t count, std::uint64_t most) {
  return count - std::min(count, most);
}

// `:port` counts as one socket for each family.
std::uint64_t listening_sockets_of(const config::Config& config) {
  std::uint64_t count = 0;
  for (const config::Listener& listener : config.listeners) {
    for (const config::Address& bind : listener.bind) count += bind.host.empty() && bind.unix_path.empty() ? 2 : 1;
  }
  return count;
}

std::uint64_t reserve(const config::Config& config, std::uint64_t usual) {
  const std::uint64_t listening = listening_sockets_of(config);
  const std::uint64_t workers = worker_count(config);
  return std::max(usual + 2 * beyond(listening, listening_sockets_reserved) + 2 * beyond(workers, workers_reserved),
                  least_reserved + 2 * (listening + workers));
}

}  // namespace

DescriptorPlan plan_descriptors(const config::Config& config, std::uint64_t open_files) {
  const std::uint64_t reserved = reserve(config, std::min(usually_reserved, open_files / 2));
  return {open_files, std::max<std::uint64_t>(beyond(open_files, reserved), 2)};
}

std::uint64_t open_files_max() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_max;
}

std::optional<std::string> too_many_connections(const config::Config& config, const DescriptorPlan& plan) {
  const std::uint64_t wanted = config.limits.connections.value_or(0);
  if (wanted <= plan.connections()) return std::nullopt;
  return fmt::format(
      "{} is more than {} open files have room for: {} connections that each have a server; raise the "
      "limit of open files to {} (LimitNOFILE, ulimit -n)",
      wanted, plan.open_files, plan.connections(), 2 * wanted + reserve(config, usually_reserved));
}

}  // namespace baton::proxy
