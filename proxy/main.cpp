// The command line. Everything it starts is wired together here.
#include <google/protobuf/stubs/common.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/version.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>

#include "config/load.hpp"
#include "config/log_schema.hpp"
#include "config/provenance.hpp"
#include "handoff/limits.hpp"
#include "handoff/meeting_point.hpp"
#include "handoff/result.hpp"
#include "handoff/start.hpp"
#include "handoff/successor.hpp"
#include "proxy/cannot_start.hpp"
#include "proxy/check/check.hpp"
#include "proxy/ctl/command_line.hpp"
#include "proxy/ctl/ctl.hpp"
#include "proxy/demo_program.hpp"
#include "proxy/keeper/keeper.hpp"
#include "proxy/process/oom_score.hpp"
#include "proxy/process/paths.hpp"
#include "proxy/process/signals.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/server/server.hpp"
#include "proxy/supervisor/renewal.hpp"
#include "proxy/supervisor/supervisor.hpp"
#include "proxy/usage.hpp"
#include "proxy/version.hpp"

namespace {

namespace log = baton::runtime::log;
using baton::cannot_start;
using baton::Predecessor;
using baton::Told;

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
constexpr std::string_view takeover_auto = "true";       // what a flag without a value reads as
constexpr const char* short_options =
    "As with other servers: `baton -t [-c FILE]` is `baton check`, and `baton -v` is `baton version`.\n\n";
constexpr const char* signals =
    "Signals:\n"
    "  USR2       live upgrade: start the binary on disk, hand every connection over to it, exit\n"
    "  HUP        reload the configuration and the certificates; a bad file changes nothing\n"
    "  USR1       reopen the log files\n"
    "  TERM, INT  stop gracefully, within timeouts.shutdown; a second one stops at once\n"
    "  QUIT       stop gracefully, without a limit\n\n"
    "Exit codes: 0 stopped as asked, or succeeded by another process; 1 could not start, or failed; 2 wrong usage.";
constexpr const char* check_exit_codes =
    "Exit codes: 0 valid; 1 invalid, or with --strict a warning; 2 wrong usage; 3 with --explain: no route takes the "
    "request.";
constexpr std::chrono::seconds meeting_timeout{10};

const char* environment(const char* name) { return std::getenv(name); }

struct RunOptions {
  std::string config;
  std::string pid_file;
  std::optional<baton::config::LogLevel> log_level;
  std::optional<baton::config::LogFormat> log_format;
  std::string takeover;                  // the path of a handoff socket; takeover_auto: the configuration's; empty: none
  bool supervise = false;
};

constexpr const char* default_configs[] = {"./baton.yaml", "/etc/baton/baton.yaml"};

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

std::string in_lines(const baton::config::Problems& problems) {
  std::string text;
  for (const auto& problem : problems) text += (text.empty() ? "" : "\n") + problem.text();
  return text;
}

// With the overrides of the command line.
std::expected<baton::proxy::LoadedConfiguration, std::string> take(
    const RunOptions& options, std::variant<baton::config::Config, baton::config::Problems> loaded,
    const baton::config::Provenance& provenance) {
  if (const auto* problems = std::get_if<baton::config::Problems>(&loaded)) return std::unexpected(in_lines(*problems));
  auto& config = std::get<baton::config::Config>(loaded);
  if (!options.pid_file.empty()) config.pid_file = options.pid_file;
  if (options.log_level) config.log.level = *options.log_level;
  if (options.log_format) config.log.format = *options.log_format;
  std::string text = baton::config::provenance_line(provenance) + baton::config::print_with_places(config);
  return baton::proxy::LoadedConfiguration{std::move(config), provenance, std::move(text)};
}

baton::config::Provenance now(bool is_applied) {
  return {.is_applied = is_applied, .at_ms = baton::runtime::unix_us() / 1000};
}

// The file; or `given` in its place, which another process handed over.
std::expected<baton::proxy::LoadedConfiguration, std::string> load(const RunOptions& options,
                                                                   std::optional<std::string> given = {}) {
  if (given) {
    const auto provenance = baton::config::take_provenance(*given).value_or(now(false));
    const char* name = provenance.is_applied ? "the applied configuration" : "the previous configuration";
    return take(options, baton::config::load_text(*given, name, environment, baton::config::written_bytes_max),
                provenance);
  }
  const auto path = find_config(options.config);
  if (!path) return std::unexpected(no_config());
  const auto read_at = now(false);
  return take(options, baton::config::load_file(*path, environment), read_at);
}

// For a running process: the file again, or what a client applies in its place.
std::expected<baton::proxy::LoadedConfiguration, std::string> load_again(const RunOptions& options,
                                                                         const std::optional<std::string>& applied) {
  if (!applied) return load(options);
  const std::string beside = find_config(options.config).value_or(default_configs[0]);
  return take(options, baton::config::load_applied(*applied, beside, environment), now(true));
}

std::string handoff_socket(const RunOptions& options, const baton::config::Config& config) {
  if (options.takeover != takeover_auto) return options.takeover;
  const auto paths = baton::process::resolve_paths(config);
  if (!paths.handoff_socket) throw std::runtime_error("--takeover: there is no handoff socket: " + paths.warning);
  return *paths.handoff_socket;
}

// The running instance at its handoff socket; no channel: no process listens there. Throws std::runtime_error.
Predecessor meet_predecessor(const std::string& socket) {
  auto channel = baton::handoff::connect_to(socket, meeting_timeout);
  if (channel) return {.channel = std::move(*channel), .is_met = true};
  if (channel.error().fault != baton::handoff::Fault::closed) throw std::runtime_error(channel.error().text);
  log::warning("takeover: nobody listens on {} ({}); this process starts as the first", socket, channel.error().text);
  return {};
}

// Only to tell it why we do not succeed it; without an instance there is nothing to tell.
Predecessor meet_to_refuse(const std::string& socket) {
  auto channel = baton::handoff::connect_to(socket, meeting_timeout);
  return {.channel = channel ? std::move(*channel) : baton::handoff::UniqueFd(), .is_met = true};
}

// Until the configuration is known to be valid, only a path on the command line counts.
Predecessor meet_predecessor_if_named(const RunOptions& options) {
  return options.takeover == takeover_auto ? Predecessor() : meet_to_refuse(options.takeover);
}

// Looks up names and reads files before we meet an instance that would wait for us.
struct Ready {
  std::shared_ptr<const baton::proxy::Settings> settings;
  std::vector<baton::proxy::WantedSocket> listeners;
  std::vector<baton::proxy::WantedSocket> admin;
};

// `is_given`: the configuration comes from another process, which served with it. Then one that has taken the place of
// a crashed one, or goes back to an older program, does not fail because of one folder of certificates.
Ready make_ready(baton::config::Config config, bool has_predecessor, bool is_given) {
  const baton::process::StopsEndUs meanwhile;
  // A predecessor knows most names, and passes them on.
  const auto unknown = has_predecessor ? baton::proxy::Unknown::leave : baton::proxy::Unknown::ask;
  Ready ready{.settings = baton::proxy::make_settings(
                  std::move(config), std::make_shared<baton::tls::TicketKeys>(),
                  std::make_shared<baton::upstream::Registry>(), {}, unknown, std::make_shared<baton::rates::Counts>(),
                  {}, is_given ? baton::proxy::Unusable::leave_out : baton::proxy::Unusable::refuse),
              .listeners = {},
              .admin = {}};
  ready.listeners = baton::proxy::look_up_listeners(ready.settings->config);
  ready.admin = baton::proxy::look_up_admin(baton::process::resolve_paths(ready.settings->config).admin);
  return ready;
}

// A process started as a successor ignores --takeover: its arguments are its predecessor's.
bool is_external_successor(const RunOptions& options, const Predecessor& predecessor) {
  return !predecessor.channel && !options.takeover.empty();
}

// `state` is what the previous version left in this process; without it, starts the first worker.
int supervise(const RunOptions& options, std::vector<std::string> arguments, const std::optional<std::string>& state) {
  baton::config::Config own;
  if (options.log_level) own.log.level = *options.log_level;
  log::start(baton::proxy::log_level(own));
  log::set_writer({std::to_string(::getpid()), {}});
  (void)baton::process::Notifier::from_environment();      // unsets a watchdog meant for another process
  int code = exit_failed;
  try {
    auto supervisor = state ? baton::supervisor::Supervisor(std::move(arguments), *state)
                            : baton::supervisor::Supervisor(std::move(arguments));
    code = supervisor.run();
  } catch (const std::exception& error) {
    log::error("supervisor: {}", baton::handoff::describe(error));
  }
  log::stop();
  return code;
}

// Until the configuration is read: as the process that started this one, or as the command line says.
void begin_log_format(const RunOptions& options) {
  log::take_format_from_environment();
  if (!options.log_format) return;
  baton::config::Config own;
  own.log.format = *options.log_format;
  log::set_format(baton::proxy::log_format(own));
}

int run(const RunOptions& options, std::vector<std::string> arguments) {
  begin_log_format(options);
  const auto state = baton::supervisor::take_state();
  if (const auto code = baton::supervisor::answer_dry_run(state)) return *code;
  Predecessor predecessor{.channel = baton::handoff::take_channel()};
  std::unique_ptr<baton::supervisor::WorkerLine> line;
  try {
    line = baton::supervisor::WorkerLine::from_environment();
  } catch (const std::exception& error) {
    const Told told = predecessor.channel ? Told::in_the_log : Told::in_plain_lines;
    return cannot_start(baton::version(), baton::handoff::describe(error), std::move(predecessor), told);
  }
  const bool is_parent = state || ((options.supervise || ::getpid() == 1) && !line && !predecessor.channel);
  if (is_parent) return supervise(options, std::move(arguments), state);
  if (line) baton::process::take_oom_score_of(line->supervisor());  // and not what a keeper passes on

  const bool is_json_wanted = log::format() == log::Format::json;
  Told told = line || predecessor.channel || is_json_wanted ? Told::in_the_log : Told::in_plain_lines;
  std::string meeting_socket;  // where we have yet to meet our predecessor
  try {
    const auto given = baton::handoff::take_configuration();
    auto passed = baton::process::take_passed_sockets(line ? line->supervisor() : ::getpid());
    auto loaded = [&] {
      const baton::process::StopsEndUs meanwhile;
      return load(options, given);
    }();
    if (!loaded) {
      if (is_external_successor(options, predecessor)) predecessor = meet_predecessor_if_named(options);
      const bool is_missing = !given && !find_config(options.config);
      const std::string what = is_missing ? "" : "the configuration is invalid:\n";
      return cannot_start(baton::version(), what + loaded.error(), std::move(predecessor), told);
    }

    // Before there is another thread, and before anything is allocated for a connection.
    std::unique_ptr<baton::keeper::Keeper> keeper;
    std::string without_keeper;
    if (line && loaded->config.handoff.survive != baton::config::Survive::off) {
      try {
        keeper = baton::keeper::Keeper::begin(
            {.arguments = arguments, .door = line->door().descriptor, .line = line->descriptor()});
      } catch (const std::exception& error) {
        without_keeper = baton::handoff::describe(error);
      }
    }

    told = Told::in_the_log;
    log::set_format(baton::proxy::log_format(loaded->config));
    log::start(baton::proxy::log_level(loaded->config));
    log::set_writer({"g? " + std::to_string(::getpid()), {}});
    if (!without_keeper.empty()) log::warning("a crash will end all connections: {}", without_keeper);
    if (is_external_successor(options, predecessor)) meeting_socket = handoff_socket(options, loaded->config);
    auto ready =
        make_ready(std::move(loaded->config), predecessor.channel || !meeting_socket.empty(), given.has_value());
    if (!meeting_socket.empty()) predecessor = meet_predecessor(std::exchange(meeting_socket, {}));
    baton::proxy::Server server(std::move(ready.settings),
                                {.arguments = std::move(arguments),
                                 .configuration_text = std::move(loaded->text),
                                 .provenance = loaded->provenance,
                                 .version = baton::version(),
                                 .load = [&options](const auto& applied) { return load_again(options, applied); },
                                 .notifier = baton::process::Notifier::from_environment(),
                                 .passed = std::move(passed),
                                 .listeners = std::move(ready.listeners),
                                 .admin = std::move(ready.admin),
                                 .supervisor = std::move(line),
                                 .keeper = std::move(keeper)});
    const int code =
        predecessor.channel ? server.run_as_successor(predecessor.channel, predecessor.is_met) : server.run();
    log::stop();
    return code;
  } catch (const std::exception& error) {
    if (!meeting_socket.empty()) predecessor = meet_to_refuse(meeting_socket);
    return cannot_start(baton::version(), baton::handoff::describe(error), std::move(predecessor), told);
  }
}

// A successor that does not understand its predecessor's command line says so, as it would for a configuration.
int refuse_command_line(const std::string& why) {
  const auto line = baton::supervisor::WorkerLine::from_environment();
  Predecessor predecessor{.channel = baton::handoff::take_channel()};
  const Told told = line || predecessor.channel ? Told::in_the_log : Told::in_plain_lines;
  cannot_start(baton::version(), (told == Told::in_plain_lines ? "baton: " : "") + why, std::move(predecessor), told);
  return exit_usage;
}

std::string versions() {
  std::ostringstream text;
  text << "baton " << baton::version() << "\nhandoff protocol " << baton::handoff::limits::protocol_min << " to "
       << baton::handoff::limits::protocol_max << "\n"
       << "Boost " << BOOST_VERSION / 100000 << "." << BOOST_VERSION / 100 % 1000 << "." << BOOST_VERSION % 100
       << "\nprotobuf " << google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION) << "\n"
       << OpenSSL_version(OPENSSL_VERSION);
  return text.str();
}

}  // namespace

// Occupies standard descriptors that were closed at the start, so that none of ours becomes one and gets the log.
static void fill_standard_descriptors() {
  int fd;
  do {
    fd = ::open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) ::close(fd);
}

static int act(int argc, char** argv) {
  // An early SIGUSR2 would kill us otherwise.
  const auto inherited_signals = baton::process::own_signals();
  fill_standard_descriptors();
  ::prctl(PR_SET_NAME, "baton");  // if started through a descriptor, the name would be its number
  std::vector<std::string> arguments(argv, argv + argc);
  CLI::App app{"Baton, a reverse proxy whose binary and configuration can be replaced without any client noticing"};
  app.require_subcommand(1);
  app.set_version_flag("--version", versions);
  app.footer(baton::usage::exit_codes);      // of the subcommands too

  RunOptions run_options;
  CLI::App& run_command = *app.add_subcommand("run", "run in the foreground; SIGUSR2 upgrades, SIGTERM stops");
  run_command.footer(signals);
  run_command.add_option("-c,--config", run_options.config,
                         "configuration file (default: ./baton.yaml, then /etc/baton/baton.yaml)")
      ->option_text("FILE");
  run_command.add_option("--pid-file", run_options.pid_file, "instead of pid_file in the configuration")
      ->option_text("FILE");
  // A flag, so that it never swallows the next argument.
  run_command
      .add_flag("--takeover", run_options.takeover,
                "take over live from the instance at this handoff socket (default: handoff.socket of the "
                "configuration); if there is none, start as usual")
      ->option_text("[=SOCKET]");
  run_command
      .add_option_function<std::string>(
          "--log-level", [&](const std::string& name) { run_options.log_level = baton::config::log_level_of(name); },
          "debug, info, warn or error, instead of log.level in the configuration")
      ->option_text("LEVEL")
      ->check([](const std::string& name) {
        return baton::config::log_level_of(name) ? std::string() : name + " is none of debug, info, warn and error";
      });
  run_command
      .add_option_function<std::string>(
          "--log-format", [&](const std::string& name) { run_options.log_format = baton::config::log_format_of(name); },
          "text or json, instead of log.format in the configuration")
      ->option_text("FORMAT")
      ->check([](const std::string& name) {
        return baton::config::log_format_of(name) ? std::string() : name + " is neither text nor json";
      });
  run_command.add_flag("--supervise", run_options.supervise,
                       "keep the PID in a small parent that replaces crashed workers (implied as PID 1)");

  std::string check_file;
  baton::check::Command check;
  CLI::App& check_command =
      *app.add_subcommand("check", "validate the configuration, check it against this machine, and exit");
  check_command.footer(check_exit_codes);
  check_command.add_option("-c,--config", check_file, "configuration file (defaults as for run)")->option_text("FILE");
  check_command.add_flag("--print", check.print,
                         "print the effective configuration; check the machine only with --strict");
  check_command.add_flag("--strict", check.strict, "treat warnings as failures");
  check_command
      .add_option("--explain", check.explain, "say which route a request for URL takes, and why; check nothing else")
      ->option_text("URL")
      ->excludes("--print");
  const auto with_explain = [&](const char* name, auto& to, const char* what) {
    return check_command.add_option(name, to, what)->needs("--explain");
  };
  with_explain("--method", check.asked.method, "with --explain: the request's method (default GET)")
      ->option_text("METHOD");
  with_explain("--header", check.asked.headers, "with --explain: one of its headers, as in 'x-canary: 1'")
      ->option_text("HEADER")
      ->allow_extra_args(false);
  with_explain("--client", check.asked.client, "with --explain: its client's IP address")->option_text("IP");
  check_command.add_flag("--json", check.asked.json, "with --explain: answer with one JSON object")->needs("--explain");

  app.add_subcommand("demo", "live upgrades, a crash and a canary under load here, and a verdict");

  baton::ctl::Options ctl;
  CLI::App& ctl_command = baton::ctl::add_command(app, ctl);

  CLI::App& version_command = *app.add_subcommand("version", "versions of baton, its handoff protocol and libraries");

  app.footer(std::string(short_options) + baton::usage::exit_codes);

  std::vector<std::string> meant = baton::usage::as_meant(arguments);
  if (meant.size() > 1 && meant[1] == "demo") {
    baton::process::give_back(inherited_signals);
    const std::string why = baton::become_demo(std::span(meant).subspan(2));
    std::cerr << "baton: " << why << std::endl;
    return exit_failed;
  }
  try {
    std::reverse(meant.begin(), meant.end());
    if (!meant.empty()) meant.pop_back();
    app.parse(std::move(meant));             // parse() expects the reverse order
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return refuse_command_line(baton::usage::explain(app, error));
  }
  if (!run_command.parsed()) baton::process::give_back(inherited_signals);
  if (check_command.parsed()) {
    const auto path = find_config(check_file);
    if (path) return baton::check::run(*path, check, environment);
    std::cerr << no_config() << "\n";
    return exit_failed;
  }
  if (version_command.parsed()) {
    std::cout << versions() << "\n";
    return 0;
  }
  if (ctl_command.parsed()) return baton::ctl::run(ctl, find_config({}).value_or(default_configs[0]), environment);
  return run(run_options, std::move(arguments));
}

int main(int argc, char** argv) {
  try {
    return act(argc, argv);
  } catch (const std::exception& error) {    // no memory, or no thread
    std::cerr << "baton: " << baton::handoff::describe(error) << std::endl;
    return exit_failed;
  }
}
