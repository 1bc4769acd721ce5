#include "proxy/ctl/command_line.hpp"

#include <CLI/CLI.hpp>

namespace baton::ctl {

CLI::App& add_command(CLI::App& program, Options& options) {
  CLI::App& ctl = *program.add_subcommand("ctl", "control or query the running Baton");
  ctl.require_subcommand(1);
  ctl.add_flag("--json", options.json, "JSON on standard output, for programs");
  ctl.add_option("--admin", options.admin,
                 "its admin interface: unix:/path or host:port (default: from the configuration file)")
      ->option_text("ADDRESS");
  ctl.add_option("-c,--config", options.config, "configuration file that names it (defaults as for run)")
      ->option_text("FILE");
  const auto add = [&](const char* name, const char* what) {
    CLI::App& command = *ctl.add_subcommand(name, what);
    command.fallthrough();  // the options above may also follow the command
    command.callback([&options, name] { options.command = name; });
    return &command;
  };
  add("status", "show its state and numbers");
  CLI::App& upgrade = *add("upgrade", "live upgrade to the binary and configuration on disk");
  upgrade.add_option("--binary", options.binary, "start this program instead of what the running one was started from")
      ->option_text("FILE");
  upgrade.add_flag("--from-file", options.from_file,
                   "read the configuration file even if another configuration is applied");
  const auto add_canary = [&options](CLI::App& command, const char* text, const char* what) {
    CLI::Option* const canary = command.add_option("--canary", options.canary, what)->option_text(text);
    command.add_option("--bake", options.bake, "with --canary: how long to compare before all follow (default: 30s)")
        ->option_text("TIME")
        ->needs(canary);
    command
        .add_option("--max", options.max, "with --canary: how long at most, if in doubt (default: 5m, or as --bake)")
        ->option_text("TIME")
        ->needs(canary);
  };
  add_canary(upgrade, "SHARE|off",
             "let this share of the clients try it first, as in 5%, whatever handoff.canary says; off: all at once");
  add_canary(*add("reload", "reload the configuration and the certificates from their files"), "SHARE",
             "upgrade the running program to them, and let this share of the clients try it first, as in 5%");
  CLI::App& apply = *add("apply", "use this configuration instead of the file's, until the next reload or start");
  apply.add_option("configuration", options.file, "the whole configuration; - for standard input")
      ->option_text("FILE")
      ->required();
  apply.add_flag("--dry-run", options.dry_run, "say what would change and what would be refused, and change nothing");
  add("config", "print the configuration in force, defaults included");
  add("promote", "let all clients follow the canary now");
  add("rollback", "return live to what ran before the last upgrade");
  add("drain", "report not ready (/readyz), so that load balancers send new traffic elsewhere; service continues")
      ->add_flag("--undo", options.undo, "report ready again");
  CLI::App* const maintenance =
      add("maintenance", "answer requests with the page of `maintenance` (on), or serve them (off)");
  maintenance->add_option("SWITCH", options.on, "on or off")
      ->required()
      ->transform(CLI::CheckedTransformer(std::map<std::string, bool>{{"on", true}, {"off", false}}).description(""))
      ->option_text("on|off");
  add("stop", "stop gracefully, within timeouts.shutdown");
  add("reopen-logs", "reopen the log files after a rename");
  add("routes", "show the routes, and how many requests each has had");
  add("servers", "show the servers of all upstreams");
  CLI::App& server = *add("server", "take a server out of service, put it back, or change its weight");
  server.add_option("server", options.server, "which one, as `servers` shows it")
      ->option_text("UPSTREAM/ADDRESS")
      ->required();
  server.add_option("order", options.order, "up, drain (no new clients), down (no requests), or weight")
      ->option_text("ORDER")
      ->required()
      ->check(CLI::IsMember({"up", "drain", "down", "weight"}));
  server.add_option("weight", options.weight, "with `weight`: 1 to 256")->option_text("N")->check(CLI::Range(1, 256));
  add("top", "show what happens, each second, until q is pressed")
      ->add_flag("--once", options.once, "print it once, as plain text; so does top without a terminal");
  add("healthcheck", "exit with 0 if it is alive");
  return ctl;
}

}  // namespace baton::ctl
