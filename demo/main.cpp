// baton-demo, the program behind `baton demo`, and its parts (roles.hpp) as hidden commands.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>
#include <map>
#include <optional>

#include "demo/demo.hpp"
#include "demo/roles.hpp"
#include "proxy/usage.hpp"

namespace {

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;

using Arguments = std::vector<std::string>;  // without the names of program and command

std::string in_short(const CLI::App&, const CLI::ParseError& error) { return error.what(); }

// The exit code of a command line that asks for nothing else.
std::optional<int> parse(CLI::App& app, Arguments arguments, decltype(baton::usage::explain)* explain = in_short) {
  std::ranges::reverse(arguments);  // in the order that `parse` wants
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::cerr << "baton: " << explain(app, error) << std::endl;
    return exit_usage;
  }
  return std::nullopt;
}

int demo(Arguments arguments) {
  baton::demo::Options options;
  CLI::App app("live upgrades, a crash and a canary under load here, and a verdict", "demo");
  CLI::Option* const upgrades =
      app.add_option("--upgrades", options.upgrades, "live upgrades, one after another")->capture_default_str();
  app.add_option("--clients", options.clients, "client connections, each opened once")->capture_default_str();
  CLI::Option* const rate =
      app.add_option("--rate", options.requests_per_second, "requests per second in all; with --page by default 1000")
          ->capture_default_str();
  CLI::Option* const between = app.add_option("--between", options.seconds_between_upgrades,
                                              "seconds between upgrades; with --page by default 10")
                                   ->capture_default_str();
  std::string page;
  CLI::Option* const with_page =
      app.add_option("--page", page, "serve a page that shows upgrades, until Ctrl-C (by default on 127.0.0.1:8088)")
          ->expected(0, 1)
          ->option_text("[ADDRESS]")
          ->excludes(upgrades);
  app.add_option("--for", options.page_seconds, "with --page: end it after this time, such as 60s or 5m")
      ->option_text("TIME")
      ->transform(CLI::AsNumberWithUnit(std::map<std::string, double>{{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}},
                                        CLI::AsNumberWithUnit::UNIT_OPTIONAL, "TIME"))
      ->needs(with_page);
  app.add_option("--binary", options.binary, "the baton to start and upgrade to (default: this one)")
      ->option_text("FILE")
      ->take_last();  // the first argument is the name of `baton demo`
  app.add_flag("--no-nginx", options.no_nginx, "leave out the comparison with nginx");
  app.add_flag("--plain", options.plain, "plain lines even on a terminal");
  upgrades->option_text("UINT=" + upgrades->get_default_str());  // without what it excludes
  app.footer(baton::usage::exit_codes);
  if (const auto code = parse(app, std::move(arguments), baton::usage::explain)) return *code;
  if (*with_page) {
    options.page = page;
    if (!*rate) options.requests_per_second = 1000;
    if (!*between) options.seconds_between_upgrades = 10;
  }
  if (options.binary.empty()) {
    std::cerr << "baton-demo: run `baton demo`, or say with --binary FILE which baton is meant" << std::endl;
    return exit_usage;
  }
  return baton::demo::run(options);
}

int origin(Arguments arguments) {
  baton::demo::OriginRole role;
  CLI::App app("the demo's origin", "baton-demo origin");
  app.add_option("--http", role.http_port, "port of HTTP")->capture_default_str();
  app.add_option("--echo", role.echo_port, "port of the TCP echo")->capture_default_str();
  if (const auto code = parse(app, std::move(arguments))) return *code;
  return baton::demo::run(role);
}

int clients(Arguments arguments) {
  baton::demo::ClientsRole role;
  CLI::App app(
      "clients of every kind, each with one connection from first to last; a line on standard input asks how they are, "
      "its end asks for the verdict",
      "baton-demo clients");
  app.add_option("host", role.hosts, "the proxy; with several addresses, each has clients of every kind")->required();
  app.add_option("--ca", role.ca, "PEM: who signed the proxy's certificate")->required()->option_text("FILE");
  app.add_option("--name", role.name, "that the certificate is for")->capture_default_str();
  app.add_option("--http", role.http_port, "port of HTTP")->capture_default_str();
  app.add_option("--tls", role.tls_port, "port of HTTP over TLS")->capture_default_str();
  app.add_option("--tcp", role.tcp_port, "port of raw TCP")->capture_default_str();
  if (const auto code = parse(app, std::move(arguments))) return *code;
  return baton::demo::run(role, std::cin, std::cout);
}

int certificate(Arguments arguments) {
  baton::demo::CertificateRole role;
  CLI::App app("a certificate for the occasion, site.pem and site.key, unless there is one", "baton-demo certificate");
  app.add_option("folder", role.folder, "where")->required();
  app.add_option("--name", role.name, "that it is for")->capture_default_str();
  if (const auto code = parse(app, std::move(arguments))) return *code;
  return baton::demo::run(role);
}

struct Command {
  std::string_view name;
  int (*run)(Arguments);
};
constexpr Command roles[] = {{"origin", origin}, {"clients", clients}, {"certificate", certificate}};

int act(Arguments arguments) {
  const auto role = std::ranges::find(roles, arguments.empty() ? "" : arguments.front(), &Command::name);
  if (role == std::end(roles)) return demo(std::move(arguments));
  arguments.erase(arguments.begin());
  return role->run(std::move(arguments));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return act(Arguments(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::cerr << "baton: " << error.what() << std::endl;
    return exit_failed;
  }
}
