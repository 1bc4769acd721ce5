#include "proxy/check/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <iostream>
#include <iterator>

#include "proxy/check/certificates.hpp"
#include "proxy/check/explain.hpp"
#include "proxy/check/look_around.hpp"
#include "proxy/worker/answer_files.hpp"

namespace baton::check {

namespace {

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
constexpr int exit_no_route = 3;

int refuse(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) std::cerr << line << "\n";
  return exit_failed;
}

std::vector<std::string> refused_answer_files(const config::Config& config) {
  std::vector<std::string> refused;
  const auto attempt = [&refused](auto read, const config::File& file) {
    try {
      read(file);
    } catch (const std::exception& error) {
      if (std::ranges::find(refused, error.what()) == refused.end()) refused.emplace_back(error.what());
    }
  };
  for (const config::File& file : routing::files_of_answers(config)) attempt(proxy::read_answer_file, file);
  for (const config::File& file : routing::files_of_passwords(config)) attempt(proxy::read_passwords, file);
  return refused;
}

int explain_request(const config::Config& config, const std::string& url, const Asked& asked) {
  const auto explanation = explain(config, url, asked);
  if (!explanation) {
    std::cerr << "baton: --explain: " << explanation.error() << "\n";
    return exit_usage;
  }
  std::cout << (asked.json ? explanation->json + "\n" : explanation->text) << std::flush;
  return explanation->is_taken ? 0 : exit_no_route;
}

}  // namespace

int run(const std::string& path, const Command& command, config::Environment environment) {
  const auto loaded = config::load_file(path, environment);
  if (const auto* problems = std::get_if<config::Problems>(&loaded)) {
    std::vector<std::string> lines;
    for (const auto& problem : *problems) lines.push_back(problem.text());
    return refuse(lines);
  }
  const auto& config = std::get<config::Config>(loaded);
  if (command.explain) return explain_request(config, *command.explain, command.asked);
  std::vector<std::string> refused = refused_certificates(config);
  std::ranges::move(refused_answer_files(config), std::back_inserter(refused));
  if (!refused.empty()) return refuse(refused);
  if (command.print) std::cout << config::print_without_secrets(config) << std::flush;
  if (command.print && !command.strict) return 0;

  Options options;
  options.waiting = [](const std::string& what) { std::cerr << "still looking up " << what << "\n"; };
  const config::Problems warnings = look_around(config, options);
  for (const auto& warning : warnings) {
    std::cerr << config::Problem{warning.where, "warning: " + warning.message}.text() << "\n";
  }
  if (!command.print) {
    std::cout << path << ": ok"
              << (warnings.empty()
                      ? ""
                      : fmt::format(", with {} warning{}", warnings.size(), warnings.size() == 1 ? "" : "s"))
              << std::endl;
  }
  return command.strict && !warnings.empty() ? exit_failed : 0;
}

}  // namespace baton::check
