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
                        .lent = {in.lent().begin(), in.lent().end()}};
  for (const std::uint32_t signal : in.signals()) record.signals.push_back(static_cast<int>(signal));
  return record;
}

}  // namespace baton::state
