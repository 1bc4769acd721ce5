#include "handoff/estate.hpp"

#include "handoff/limits.hpp"
#include "handoff/records.hpp"

namespace baton::handoff {

Result<void> send_estate(Channel& channel, const Estate& estate, Deadline deadline) {
  // Each frame leaves room for one more descriptor: the executable in the last frame.
  constexpr std::size_t sockets_per_frame = limits::descriptors_per_frame_max - 1;
  std::size_t next = 0;
  bool last = false;
  while (!last) {
    wire::Inherit inherit;
    std::vector<int> descriptors;
    for (; next < estate.sockets.size() && descriptors.size() < sockets_per_frame; ++next) {
      auto& socket = *inherit.add_sockets();
      socket.set_name(estate.sockets[next].name);
      socket.set_address(estate.sockets[next].address);
      descriptors.push_back(estate.sockets[next].descriptor);
    }
    last = next == estate.sockets.size();
    if (last) {
      inherit.set_last(true);
      inherit.set_application(estate.application);
      inherit.set_configuration(estate.configuration);
      inherit.set_heir(estate.heir);
      if (estate.executable >= 0) {
        inherit.set_executable(true);
        descriptors.push_back(estate.executable);
      }
    }
    const SecretBytes none;
    auto sent = send_record(channel, Kind::inherit, inherit, deadline, descriptors, last ? estate.secrets : none);
    if (!sent) return sent;
  }
  return {};
}

Result<bool> take_inherit(Frame& frame, Inheritance& inheritance) {
  auto record = parse<wire::Inherit>(frame);
  if (!record) return std::unexpected(record.error());
  if (frame.descriptors_lost != 0) {
    return fail(Fault::system, "listening sockets were lost in transit: too few descriptors are free here (ulimit -n)");
  }
  const auto sockets = static_cast<std::size_t>(record->sockets_size());
  const std::size_t expected = sockets + (record->executable() ? 1 : 0);
  if (inheritance.sockets.size() + sockets > limits::sockets_inherited_max) {
    return fail(Fault::malformed,
                "Inherit brings more than " + std::to_string(limits::sockets_inherited_max) + " sockets");
  }
  if (frame.descriptors.size() != expected) {
    return fail(Fault::malformed, "Inherit names other descriptors than came with it");
  }
  for (std::size_t i = 0; i < sockets; ++i) {
    const auto& socket = record->sockets(static_cast<int>(i));
    inheritance.sockets.push_back({socket.name(), socket.address(), std::move(frame.descriptors[i])});
  }
  if (!record->last()) return false;
  if (record->executable()) inheritance.executable = std::move(frame.descriptors.back());
  inheritance.application = record->application();
  inheritance.secrets = std::move(frame.secrets);
  inheritance.configuration = record->configuration();
  inheritance.heir = record->heir();
  return true;
}

Result<void> receive_estate(Channel& channel, Inheritance& inheritance, Deadline deadline) {
  for (;;) {
    auto frame = receive_kind(channel, Kind::inherit, deadline);
    if (!frame) return std::unexpected(frame.error());
    auto last = take_inherit(*frame, inheritance);
    if (!last) return std::unexpected(last.error());
    if (*last) return {};
  }
}

}  // namespace baton::handoff
