#include "proxy/ctl/command_line.hpp"

#include <CLI/CLI.hpp>

namespace baton::ctl {

CLI::App& add_command(CLI::App& program, Options& options) {
  CLI::App& ctl = *program.add_subcommand("ctl", "command the running Baton, or ask it");
  ctl.require_subcommand(1);
  ctl.add_flag("--json", options.json, "JSON on standard output, for programs");
  ctl.add_option("--admin", options.admin,
                 "its admin interface: unix:/path or host:port (default: as the configuration file says)")
      ->option_text("ADDRESS");
  ctl.add_option("-c,--config", options.config, "configuration file that says where it is (defaults as for run)")
      ->option_text("FILE");
  const auto add = [&](const char* name, const char* what) {
    CLI::App& command = *ctl.add_subcommand(name, what);
    command.fallthrough();  // the options above may also stand behind the command
    command.callback([&options, name] { options.command = name; });
    return &command;
  };
  add("status", "what it is and does");
  add("upgrade", "live upgrade to the binary and configuration on disk")
      ->add_option("--binary", options.binary, "start this program instead of what the running one was started from")
      ->option_text("FILE");
  add("reload", "read the configuration and the certificates anew");
  add("rollback", "live return to what ran before the last upgrade");
  add("drain", "be not ready (/readyz), so that load balancers send new traffic elsewhere; the service goes on")
      ->add_flag("--undo", options.undo, "be ready again");
  add("stop", "stop gracefully, within timeouts.shutdown");
  add("reopen-logs", "open the log files anew, after they were renamed");
  add("healthcheck", "ask whether it lives: by the exit code");
  return ctl;
}

}  // namespace baton::ctl
