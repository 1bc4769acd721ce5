// The command line.
#include <google/protobuf/stubs/common.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/version.hpp>

#include <algorithm>
#include <exception>
#include <iostream>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "config/log_schema.hpp"
#include "handoff/limits.hpp"
#include "handoff/result.hpp"
#include "proxy/check/check.hpp"
#include "proxy/ctl/command_line.hpp"
#include "proxy/ctl/ctl.hpp"
#include "proxy/demo_program.hpp"
#include "proxy/process/signals.hpp"
#include "proxy/run.hpp"
#include "proxy/usage.hpp"
#include "proxy/version.hpp"

namespace {

constexpr int exit_failed = 1;
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

  baton::RunOptions run_options;
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
    return baton::refuse_command_line(baton::usage::explain(app, error));
  }
  if (!run_command.parsed()) baton::process::give_back(inherited_signals);
  if (check_command.parsed()) {
    const auto path = baton::find_config(check_file);
    if (path) return baton::check::run(*path, check, baton::environment);
    std::cerr << baton::no_config() << "\n";
    return exit_failed;
  }
  if (version_command.parsed()) {
    std::cout << versions() << "\n";
    return 0;
  }
  if (ctl_command.parsed()) return baton::ctl::run(ctl, baton::default_config(), baton::environment);
  return baton::run(run_options, std::move(arguments));
}

int main(int argc, char** argv) {
  try {
    return act(argc, argv);
  } catch (const std::exception& error) {    // no memory, or no thread
    std::cerr << "baton: " << baton::handoff::describe(error) << std::endl;
    return exit_failed;
  }
}
