#include "proxy/run.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <expected>
#include <memory>
#include <stdexcept>
#include <utility>
#include <variant>

#include "config/load.hpp"
#include "config/provenance.hpp"
#include "handoff/meeting_point.hpp"
#include "handoff/result.hpp"
#include "handoff/start.hpp"
#include "handoff/successor.hpp"
#include "proxy/cannot_start.hpp"
#include "proxy/keeper/keeper.hpp"
#include "proxy/process/log_settings.hpp"
#include "proxy/process/oom_score.hpp"
#include "proxy/process/paths.hpp"
#include "proxy/process/signals.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/server/launch.hpp"
#include "proxy/supervisor/renewal.hpp"
#include "proxy/supervisor/supervisor.hpp"
#include "proxy/version.hpp"

namespace baton {

namespace log = runtime::log;

namespace {

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
constexpr std::chrono::seconds meeting_timeout{10};
constexpr const char* default_configs[] = {"./baton.yaml", "/etc/baton/baton.yaml"};

}  // namespace

const char* environment(const char* name) {
  return std::getenv(name);
}

// The first default that exists, if any.
std::optional<std::string> find_config(const std::string& given) {
  if (!given.empty()) return given;
  for (const char* path : default_configs) {
    if (::access(path, F_OK) == 0) return path;
  }
  return std::nullopt;
}

std::string no_config() {
  return fmt::format("there is no configuration file: neither {} nor {}; name one with -c FILE", default_configs[0],
                     default_configs[1]);
}

std::string default_config() {
  return find_config({}).value_or(default_configs[0]);
}

namespace {

std::string in_lines(const config::Problems& problems) {
  std::string text;
  for (const auto& problem : problems) text += (text.empty() ? "" : "\n") + problem.text();
  return text;
}

// With the overrides of the command line.
std::expected<proxy::LoadedConfiguration, std::string> take(const RunOptions& options,
                                                            std::variant<config::Config, config::Problems> loaded,
                                                            const config::Provenance& provenance) {
  if (const auto* problems = std::get_if<config::Problems>(&loaded)) return std::unexpected(in_lines(*problems));
  auto& config = std::get<config::Config>(loaded);
  if (!options.pid_file.empty()) config.pid_file = options.pid_file;
  if (options.log_level) config.log.level = *options.log_level;
  if (options.log_format) config.log.format = *options.log_format;
  std::string text = config::provenance_line(provenance) + config::print_with_places(config);
  return proxy::LoadedConfiguration{std::move(config), provenance, std::move(text)};
}

config::Provenance now(bool is_applied) {
  return {.is_applied = is_applied, .at_ms = runtime::unix_us() / 1000};
}

// The file; or `given` in its place, which another process handed over.
std::expected<proxy::LoadedConfiguration, std::string> load(const RunOptions& options,
                                                            std::optional<std::string> given = {}) {
  if (given) {
    const auto provenance = config::take_provenance(*given).value_or(now(false));
    const char* name = provenance.is_applied ? "the applied configuration" : "the previous configuration";
    return take(options, config::load_text(*given, name, environment, config::written_bytes_max), provenance);
  }
  const auto path = find_config(options.config);
  if (!path) return std::unexpected(no_config());
  const auto read_at = now(false);
  return take(options, config::load_file(*path, environment), read_at);
}

// For a running process: the file again, or what a client applies in its place.
std::expected<proxy::LoadedConfiguration, std::string> load_again(const RunOptions& options,
                                                                  const std::optional<std::string>& applied) {
  if (!applied) return load(options);
  const std::string beside = find_config(options.config).value_or(default_configs[0]);
  return take(options, config::load_applied(*applied, beside, environment), now(true));
}

std::string handoff_socket(const RunOptions& options, const config::Config& config) {
  if (options.takeover != takeover_auto) return options.takeover;
  const auto paths = process::resolve_paths(config);
  if (!paths.handoff_socket) throw std::runtime_error("--takeover: there is no handoff socket: " + paths.warning);
  return *paths.handoff_socket;
}

// The running instance at its handoff socket; no channel: no process listens there. Throws std::runtime_error.
Predecessor meet_predecessor(const std::string& socket) {
  auto channel = handoff::connect_to(socket, meeting_timeout);
  if (channel) return {.channel = std::move(*channel), .is_met = true};
  if (channel.error().fault != handoff::Fault::closed) throw std::runtime_error(channel.error().text);
  log::warning("takeover: nobody listens on {} ({}); this process starts as the first", socket, channel.error().text);
  return {};
}

// Only to tell it why we do not succeed it; without an instance there is nothing to tell.
Predecessor meet_to_refuse(const std::string& socket) {
  auto channel = handoff::connect_to(socket, meeting_timeout);
  return {.channel = channel ? std::move(*channel) : handoff::UniqueFd(), .is_met = true};
}

// Until the configuration is known to be valid, only a path on the command line counts.
Predecessor meet_predecessor_if_named(const RunOptions& options) {
  return options.takeover == takeover_auto ? Predecessor() : meet_to_refuse(options.takeover);
}

// A process started as a successor ignores --takeover: its arguments are its predecessor's.
bool is_external_successor(const RunOptions& options, const Predecessor& predecessor) {
  return !predecessor.channel && !options.takeover.empty();
}

// `state` is what the previous version left in this process; without it, starts the first worker.
int supervise(const RunOptions& options, std::vector<std::string> arguments, const std::optional<std::string>& state) {
  log::start(process::log_level(options.log_level.value_or(config::LogLevel::info)));
  log::set_writer({std::to_string(::getpid()), {}});
  (void)process::Notifier::from_environment();  // unsets a watchdog meant for another process
  int code = exit_failed;
  try {
    auto supervisor =
        state ? supervisor::Supervisor(std::move(arguments), *state) : supervisor::Supervisor(std::move(arguments));
    code = supervisor.run();
  } catch (const std::exception& error) {
    log::error("supervisor: {}", handoff::describe(error));
  }
  log::stop();
  return code;
}

// Until the configuration is read: as the process that started this one, or as the command line says.
void begin_log_format(const RunOptions& options) {
  log::take_format_from_environment();
  if (options.log_format) log::set_format(process::log_format(*options.log_format));
}

}  // namespace

int run(const RunOptions& options, std::vector<std::string> arguments) {
  begin_log_format(options);
  const auto state = supervisor::take_state();
  if (const auto code = supervisor::answer_dry_run(state)) return *code;
  Predecessor predecessor{.channel = handoff::take_channel()};
  std::unique_ptr<supervisor::WorkerLine> line;
  try {
    line = supervisor::WorkerLine::from_environment();
  } catch (const std::exception& error) {
    const Told told = predecessor.channel ? Told::in_the_log : Told::in_plain_lines;
    return cannot_start(version(), handoff::describe(error), std::move(predecessor), told);
  }
  const bool is_parent = state || ((options.supervise || ::getpid() == 1) && !line && !predecessor.channel);
  if (is_parent) return supervise(options, std::move(arguments), state);
  if (line) process::take_oom_score_of(line->supervisor());  // and not what a keeper passes on

  const bool is_json_wanted = log::format() == log::Format::json;
  Told told = line || predecessor.channel || is_json_wanted ? Told::in_the_log : Told::in_plain_lines;
  std::string meeting_socket;  // where we have yet to meet our predecessor
  try {
    const auto given = handoff::take_configuration();
    auto passed = process::take_passed_sockets(line ? line->supervisor() : ::getpid());
    auto loaded = [&] {
      const process::StopsEndUs meanwhile;
      return load(options, given);
    }();
    if (!loaded) {
      if (is_external_successor(options, predecessor)) predecessor = meet_predecessor_if_named(options);
      const bool is_missing = !given && !find_config(options.config);
      const std::string what = is_missing ? "" : "the configuration is invalid:\n";
      return cannot_start(version(), what + loaded.error(), std::move(predecessor), told);
    }

    // Before there is another thread, and before anything is allocated for a connection.
    std::unique_ptr<keeper::Keeper> keeper;
    std::string without_keeper;
    if (line && loaded->config.handoff.survive != config::Survive::off) {
      try {
        keeper = keeper::Keeper::begin(
            {.arguments = arguments, .door = line->door().descriptor, .line = line->descriptor()});
      } catch (const std::exception& error) {
        without_keeper = handoff::describe(error);
      }
    }

    told = Told::in_the_log;
    log::set_format(process::log_format(loaded->config.log.format));
    log::start(process::log_level(loaded->config.log.level));
    log::set_writer({"g? " + std::to_string(::getpid()), {}});
    if (!without_keeper.empty()) log::warning("a crash will end all connections: {}", without_keeper);
    if (is_external_successor(options, predecessor)) meeting_socket = handoff_socket(options, loaded->config);
    auto prepared =
        proxy::prepare(std::move(loaded->config), predecessor.channel || !meeting_socket.empty(), given.has_value());
    if (!meeting_socket.empty()) predecessor = meet_predecessor(std::exchange(meeting_socket, {}));
    const int code = proxy::serve({.prepared = std::move(prepared),
                                   .arguments = std::move(arguments),
                                   .configuration_text = std::move(loaded->text),
                                   .provenance = loaded->provenance,
                                   .version = version(),
                                   .load = [&options](const auto& applied) { return load_again(options, applied); },
                                   .notifier = process::Notifier::from_environment(),
                                   .passed = std::move(passed),
                                   .supervisor = std::move(line),
                                   .keeper = std::move(keeper)},
                                  predecessor.channel, predecessor.is_met);
    log::stop();
    return code;
  } catch (const std::exception& error) {
    if (!meeting_socket.empty()) predecessor = meet_to_refuse(meeting_socket);
    return cannot_start(version(), handoff::describe(error), std::move(predecessor), told);
  }
}

// A successor that does not understand its predecessor's command line says so, as it would for a configuration.
int refuse_command_line(const std::string& why) {
  const auto line = supervisor::WorkerLine::from_environment();
  Predecessor predecessor{.channel = handoff::take_channel()};
  const Told told = line || predecessor.channel ? Told::in_the_log : Told::in_plain_lines;
  cannot_start(version(), (told == Told::in_plain_lines ? "baton: " : "") + why, std::move(predecessor), told);
  return exit_usage;
}

}  // namespace baton
