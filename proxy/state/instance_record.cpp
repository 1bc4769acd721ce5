#include "proxy/state/instance_record.hpp"

#include "proxy/state/state.pb.h"

namespace baton::state {

std::string encode(const InstanceRecord& record) {
  wire::Instance out;
  out.set_handoff_socket(record.handoff_socket);
  out.set_pid_file(record.pid_file);
  out.set_admin(record.admin);
  out.set_accepted_total(record.accepted_total);
  out.set_requests_total(record.requests_total);
  for (const int signal : record.signals) out.add_signals(static_cast<std::uint32_t>(signal));
  out.set_draining(record.draining);
  for (const std::string& address : record.lent) out.add_lent(address);
  for (const std::string& argument : record.arguments) out.add_arguments(argument);
  out.set_after_crash(record.after_crash);
  out.set_lock_device(record.lock_device);
  out.set_lock_inode(record.lock_inode);
  if (record.previous) {
    auto& previous = *out.mutable_previous();
    for (const std::string& argument : record.previous->arguments) previous.add_arguments(argument);
    previous.set_configuration(record.previous->configuration);
    previous.set_version(record.previous->version);
    for (const std::string& feature : record.previous->features) previous.add_features(feature);
  }
  return out.SerializeAsString();
}

std::optional<InstanceRecord> decode_instance_record(std::string_view bytes) {
  wire::Instance in;
  if (!in.ParseFromString(std::string(bytes))) return std::nullopt;
  InstanceRecord record{.handoff_socket = in.handoff_socket(),
                        .pid_file = in.pid_file(),
                        .admin = in.admin(),
                        .accepted_total = in.accepted_total(),
                        .requests_total = in.requests_total(),
                        .signals = {},
                        .draining = in.draining(),
                        .lent = {in.lent().begin(), in.lent().end()},
                        .arguments = {in.arguments().begin(), in.arguments().end()},
                        .after_crash = in.after_crash(),
                        .previous = {},
                        .lock_device = in.lock_device(),
                        .lock_inode = in.lock_inode()};
  for (const std::uint32_t signal : in.signals()) record.signals.push_back(static_cast<int>(signal));
  if (in.has_previous()) {
    const wire::Program& previous = in.previous();
    record.previous = Program{.arguments = {previous.arguments().begin(), previous.arguments().end()},
                              .configuration = previous.configuration(),
                              .version = previous.version(),
                              .features = {previous.features().begin(), previous.features().end()}};
  }
  return record;
}

}  // namespace baton::state
