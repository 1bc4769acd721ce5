#include "proxy/server/generation.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "proxy/runtime/loop.hpp"
#include "proxy/server/data_path.hpp"
#include "proxy/server/instance.hpp"
#include "proxy/state/codec.hpp"

namespace baton::proxy {

handoff::Side SelfDescription::side() const {
  return {.generation = data_path_.generation(), .pid = ::getpid(), .version = generation_.version};
}

std::string SelfDescription::serving() const {
  return fmt::format("serving: baton {}, generation {}, PID {}, {} workers", generation_.version,
                     data_path_.generation(), ::getpid(), data_path_.workers().size());
}

state::InstanceRecord SelfDescription::record() const {
  state::InstanceRecord record;
  instance_.describe(record);
  record.draining = generation_.is_draining;
  record.maintenance = data_path_.is_in_maintenance();
  record.arguments = generation_.arguments;
  const runtime::HashKey& key = data_path_.settings()->servers->key();
  record.hash_key.assign(key.bytes.begin(), key.bytes.end());
  record.rates_clock_us = data_path_.settings()->counts->requests.clock_us();
  record.names = recurring_names(data_path_.config(), data_path_.settings()->names);
  record.trust = trust_of_listeners(*data_path_.settings());
  record.crashes = generation_.crashes;
  return record;
}

void SelfDescription::add_totals(state::InstanceRecord& record) const {
  const metrics::Totals totals = data_path_.totals();
  describe_counts(totals, record);
  record.shares_ledger = metrics::ledger().is_adopted();
  record.upgrades = generation_.upgrades;
  record.history = generation_.history;
  data_path_.describe(totals, record);
}

handoff::Estate SelfDescription::estate(std::optional<state::CanaryClients> canary) const {
  handoff::Estate estate;
  instance_.offer(estate);
  const rates::Counts& counts = *data_path_.settings()->counts;
  if (const int memory = counts.requests.to_pass_on(); memory >= 0) estate.sockets.push_back({"@rates", "", memory});
  if (const int memory = counts.connections.to_pass_on(); memory >= 0) {
    estate.sockets.push_back({"@connections", "", memory});
  }
  if (const int memory = data_path_.settings()->servers->loads().to_pass_on(); memory >= 0) {
    estate.sockets.push_back({"@in_flight", "", memory});
  }
  if (const int memory = metrics::ledger().to_pass_on(); memory >= 0)
    estate.sockets.push_back({"@metrics", "", memory});
  state::InstanceRecord inherited = record();
  add_totals(inherited);
  inherited.canary = std::move(canary);
  estate.application = state::encode(inherited);
  const Settings& settings = *data_path_.settings();
  if (!settings.tls.empty()) estate.secrets = settings.ticket_keys->save(runtime::monotonic_ms());
  estate.configuration = generation_.configuration_text;
  estate.executable = generation_.executable.get();
  return estate;
}

std::string SelfDescription::totals(std::vector<int> signals, std::optional<state::UpgradeRecord> upgrade) const {
  state::InstanceRecord record;
  add_totals(record);
  record.signals = std::move(signals);
  record.upgrade = std::move(upgrade);
  record.draining = generation_.is_draining;
  record.maintenance = data_path_.is_in_maintenance();
  return state::encode(record);
}

supervisor::Announcement SelfDescription::announcement() const {
  state::InstanceRecord said = record();
  add_totals(said);
  // A supervisor passes the record on unchanged and need not understand it.
  said.after_crash = true;
  said.logs_json = runtime::log::format() == runtime::log::Format::json;
  said.keeper = generation_.keeper;
  handoff::Estate known = estate();
  if (const auto& previous = generation_.previous; previous && previous->executable) {
    said.previous = previous->program;
    known.sockets.push_back({"@previous", "", previous->executable.get()});
  }
  // After a crash its connections are gone.
  std::erase_if(known.sockets,
                [](const auto& socket) { return socket.name == "@connections" || socket.name == "@in_flight"; });
  known.application = state::encode(said);
  return {side(), state::features(), std::move(known)};
}

}  // namespace baton::proxy
