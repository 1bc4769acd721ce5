#include "proxy/supervisor/parent_state.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include <csignal>

#include "proxy/supervisor/parent_state.pb.h"

namespace baton::supervisor {

namespace {

constexpr std::uint32_t format = 1;

handoff::UniqueFd taken(int number) {
  ::fcntl(number, F_SETFD, FD_CLOEXEC);
  return handoff::UniqueFd(number);
}

bool is_listening_socket(int descriptor) {
  int value = 0;
  socklen_t length = sizeof value;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value == 1;
}

bool is_file(int descriptor) {
  struct stat info {};
  return ::fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode);
}

// "@lock" and "@previous" are files; all others are listening sockets.
bool is_as_named(const wire::Heritage::Socket& socket) {
  return is_listening_socket(socket.descriptor()) || (socket.name().starts_with('@') && is_file(socket.descriptor()));
}

void write_down(const Heritage& heritage, wire::Heritage& out) {
  for (const auto& socket : heritage.sockets) {
    auto& to = *out.add_sockets();
    to.set_name(socket.name);
    to.set_address(socket.address);
    to.set_descriptor(socket.descriptor.get());
  }
  out.set_application(heritage.application);
  out.set_configuration(heritage.configuration);
  out.set_executable(heritage.executable ? heritage.executable.get() : 0);
  out.set_generation(heritage.generation);
  out.set_version(heritage.version);
  for (const auto& feature : heritage.features) out.add_features(feature);
}

std::shared_ptr<Heritage> read_back(const wire::Heritage& in) {
  auto heritage = std::make_shared<Heritage>();
  for (const auto& from : in.sockets()) {
    heritage->sockets.push_back({from.name(), from.address(), taken(from.descriptor())});
  }
  heritage->application = in.application();
  heritage->configuration = in.configuration();
  if (in.executable() != 0) heritage->executable = taken(in.executable());
  heritage->generation = in.generation();
  heritage->version = in.version();
  heritage->features.assign(in.features().begin(), in.features().end());
  return heritage;
}

}  // namespace

std::vector<int> descriptors_of(const ParentState& state) {
  std::vector<int> all{state.door.ours.get(), state.door.theirs.get()};
  for (const Worker& worker : state.workers) {
    if (worker.line) all.push_back(worker.line->descriptor());
  }
  if (!state.heritage) return all;
  for (const auto& socket : state.heritage->sockets) all.push_back(socket.descriptor.get());
  if (state.heritage->executable) all.push_back(state.heritage->executable.get());
  return all;
}

std::string encode(const ParentState& state) {
  wire::Parent out;
  out.set_format(format);
  out.set_door_ours(state.door.ours.get());
  out.set_door_theirs(state.door.theirs.get());
  for (const Worker& worker : state.workers) {
    auto& to = *out.add_workers();
    to.set_pid(worker.pid);
    to.set_line(worker.line ? worker.line->descriptor() : 0);
    to.set_resigned(worker.resigned);
    to.set_leaving(worker.leaving);
    to.set_served(worker.served);
  }
  out.set_instance(state.instance);
  if (state.heritage) write_down(*state.heritage, *out.mutable_heritage());
  out.set_crashes(state.streak.crashes);
  out.set_served_since_ms(state.streak.served_since_ms);
  out.set_stopping(state.is_stopping());
  out.set_stop_signal(state.stop_signal);
  for (const int signal : state.signals) out.add_signals(static_cast<std::uint32_t>(signal));
  return out.SerializeAsString();
}

std::optional<std::string> what_is_wrong_with(std::string_view bytes) {
  wire::Parent in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return "it cannot be read";
  if (in.format() != format) return fmt::format("it has the format {}", in.format());
  if (!is_unix_socket(in.door_ours(), SOCK_SEQPACKET) || !is_unix_socket(in.door_theirs(), SOCK_SEQPACKET)) {
    return "there is no door";
  }
  bool knows_instance = false;
  for (const auto& worker : in.workers()) {
    knows_instance = knows_instance || worker.pid() == in.instance();
    if (worker.line() != 0 && !is_unix_socket(worker.line(), SOCK_STREAM)) {
      return fmt::format("the line of PID {} is not a stream socket", worker.pid());
    }
  }
  if (!knows_instance) return "no worker is the instance";
  for (const auto& socket : in.heritage().sockets()) {
    if (!is_as_named(socket)) return fmt::format("descriptor {} is not {}", socket.descriptor(), socket.name());
  }
  if (in.heritage().executable() != 0 && !is_file(in.heritage().executable())) return "the executable is not a file";
  return std::nullopt;
}

ParentState decode_parent_state(std::string_view bytes) {
  wire::Parent in;
  in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  ParentState state{.door = {taken(in.door_ours()), taken(in.door_theirs())},
                    .workers = {},
                    .instance = static_cast<pid_t>(in.instance()),
                    .heritage = {},
                    .streak = {in.crashes(), in.served_since_ms()},
                    .stop_signal = in.stop_signal() == 0 && in.stopping() ? SIGTERM : in.stop_signal(),
                    .signals = {}};
  for (const auto& from : in.workers()) {
    Worker worker{.pid = static_cast<pid_t>(from.pid()),
                  .line = {},
                  .resigned = from.resigned(),
                  .leaving = from.leaving(),
                  .served = from.served()};
    if (from.line() != 0) worker.line = std::make_unique<handoff::Channel>(taken(from.line()));
    state.workers.push_back(std::move(worker));
  }
  if (in.has_heritage()) state.heritage = read_back(in.heritage());
  for (const auto signal : in.signals()) state.signals.push_back(static_cast<int>(signal));
  return state;
}

}  // namespace baton::supervisor
