// baton-demo, the program behind `baton demo`.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>

#include "demo/demo.hpp"
#include "proxy/usage.hpp"

namespace {

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;

int act(std::vector<std::string> arguments) {
  baton::demo::Options options;
  CLI::App app("live upgrades under load on this machine, and a verdict", "demo");
  app.add_option("--upgrades", options.upgrades, "live upgrades, one after another")->capture_default_str();
  app.add_option("--clients", options.clients, "client connections, each opened once")->capture_default_str();
  app.add_option("--rate", options.requests_per_second, "requests per second in all")->capture_default_str();
  app.add_option("--between", options.seconds_between_upgrades, "seconds between upgrades")->capture_default_str();
  app.add_option("--binary", options.binary, "the baton to start and upgrade to (default: this one)")
      ->option_text("FILE")
      ->take_last();  // `baton demo` names itself first
  app.add_flag("--no-nginx", options.no_nginx, "leave out the contrast with nginx, where it is installed");
  app.add_flag("--plain", options.plain, "plain lines, also on a terminal");
  app.footer(baton::usage::exit_codes);
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::cerr << "baton: " << baton::usage::explain(app, error) << std::endl;
    return exit_usage;
  }
  if (options.binary.empty()) {
    std::cerr << "baton-demo: run `baton demo`, or say with --binary FILE which baton is meant" << std::endl;
    return exit_usage;
  }
  return baton::demo::run(options);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::vector<std::string> arguments(argv + 1, argv + argc);
    std::ranges::reverse(arguments);  // as `parse` wants them
    return act(std::move(arguments));
  } catch (const std::exception& error) {
    std::cerr << "baton: " << error.what() << std::endl;
    return exit_failed;
  }
}
