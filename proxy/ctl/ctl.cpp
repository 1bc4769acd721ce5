#include "proxy/ctl/ctl.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <boost/json.hpp>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <expected>
#include <filesystem>
#include <iostream>
#include <optional>
#include <utility>
#include <vector>

#include "config/canary_schema.hpp"
#include "handoff/unique_fd.hpp"
#include "proxy/ctl/admin_address.hpp"
#include "proxy/ctl/conversation.hpp"
#include "proxy/ctl/show.hpp"
#include "proxy/ctl/top.hpp"
#include "proxy/ctl/upgrade_show.hpp"

namespace baton::ctl {

namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;

// A reload looks up names, which may take long; an upgrade sends something five times a second.
constexpr std::chrono::milliseconds usual_patience = 10s;
constexpr std::chrono::milliseconds healthcheck_patience = 5s;
constexpr std::chrono::milliseconds reload_patience = 120s;
constexpr std::chrono::milliseconds reload_silence = 3s;
constexpr std::chrono::milliseconds upgrade_patience = 30s;
// An answer may have the whole configuration, or a line for each of its entries.
constexpr std::uint64_t configuration_answer_max = 2 * config::written_bytes_max;

const std::string nonsense = "the admin interface sent something that is not an answer from Baton";

int fail(const Options& options, const std::string& why) {
  std::cerr << "baton ctl " << options.command << ": " << printable(why, true) << (why.ends_with('\n') ? "" : "\n");
  if (options.json) std::cout << json::object{{"result", "failed"}, {"text", printable(why, true)}} << "\n";
  return exit_failed;
}

// Whether the answer is one of a version without canaries, whose text on the body of an upgrade names none.
bool knows_no_canaries(const Options& options, const Answer& answer) {
  if (!options.canary && options.command != "promote") return false;
  return answer.status == 404 || answer.status == 405 ||
         (answer.status == 400 && answer.body.find("canary") == std::string::npos);
}

// What an answer other than 200 means.
std::string refusal(const Options& options, const Answer& answer) {
  if (!answer.content_type.starts_with("text/plain")) return nonsense;
  if (knows_no_canaries(options, answer)) {
    return "the running version is older and knows no canaries; upgrade it without --canary first";
  }
  if (answer.status == 404 || answer.status == 405) {
    std::string text = "the running version is older and has no command " + options.command;
    if (options.command == "upgrade") text += "; send it SIGUSR2";
    if (options.command == "reload") text += "; send it SIGHUP";
    if (options.command == "stop") text += "; send it SIGTERM";
    if (options.command == "reopen-logs") text += "; send it SIGUSR1";
    return text;
  }
  if (answer.body.empty()) return "refused with status " + std::to_string(answer.status);
  return answer.body;
}

int succeed(const Options& options, const std::string& text) {
  if (options.json) {
    std::cout << json::object{{"result", "ok"}, {"text", printable(text, true)}} << "\n";
  } else {
    std::cout << printable(text, true) << "\n";
  }
  return 0;
}

using Addresses = std::vector<config::Address>;

// The first reachable address answers. If there is none, the error is about the first.
std::expected<Answer, NoAnswer> ask_one(const Addresses& addresses, const Request& request) {
  auto answer = ask(addresses.front(), request);
  for (std::size_t i = 1; i < addresses.size() && !answer && !answer.error().asked; ++i) {
    auto other = ask(addresses[i], request);
    if (other || other.error().asked) return other;
  }
  return answer;
}

// What a GET of `target` answers, as a table.
int show(const Options& options, const Addresses& admin, const char* target,
         std::string (*table_of)(const json::object&)) {
  const auto answer = ask_one(admin, {.target = target});
  if (!answer) return fail(options, answer.error().text);
  if (answer->status != 200) return fail(options, refusal(options, *answer));
  try {
    const std::string table = table_of(json::parse(answer->body).as_object());
    std::cout << (options.json ? answer->body + "\n" : table);
    return 0;
  } catch (const std::exception&) {
    return fail(options, nonsense);
  }
}

json::value canary_asked_for(const Options& options) {
  if (options.canary == "off") return "off";
  json::object asked{{"share", *options.canary}};
  if (options.bake) asked["bake"] = *options.bake;
  if (options.max) asked["max"] = *options.max;
  return asked;
}

// How an upgrade that did not complete ended, in words.
std::string failure(const Options& options, const json::object& result) {
  if (options.command == "rollback" || result.at("result").as_string() != "rolled_back") return "it failed";
  const json::value* canary = result.if_contains("canary");
  if (canary == nullptr || canary->at("verdict") == "go_on") return "it was rolled back";
  if (canary->at("decided_by") == "command") return "it was called back";
  const std::string text = printable(canary->at("text").as_string(), true);
  return "it was rolled back: the canary came back" + (text.empty() ? "" : ": " + text);
}

int upgrade(const Options& options, const Addresses& admin) {
  const bool is_reload = options.command == "reload";
  Request request{.method = "POST",
                  .target = is_reload ? "/upgrade" : "/" + options.command,
                  .token = options.token,
                  .patience = upgrade_patience};
  json::object asked;
  if (is_reload) asked["reload"] = true;
  if (options.canary) asked["canary"] = canary_asked_for(options);
  if (!options.binary.empty()) asked["binary"] = std::filesystem::absolute(options.binary).string();
  if (options.from_file) asked["from_file"] = true;
  if (!asked.empty()) request.body = json::serialize(asked);
  UpgradeShow show(options.json);
  request.on_line = [&](std::string_view line) { show.take(line); };
  const auto answer = ask_one(admin, request);
  show.end_bar();
  if (answer && answer->status != 200) return fail(options, refusal(options, *answer));
  if (!answer && !answer.error().asked) return fail(options, answer.error().text);
  if (show.is_broken()) return fail(options, nonsense);
  if (!show.result()) {
    return fail(options, (answer ? nonsense : answer.error().text) + "; how the " + options.command +
                             " ended is unknown: look at `baton ctl status`");
  }
  const json::object& result = *show.result();
  // A rollback during probation, or of a canary, ends that upgrade, as asked.
  const bool completed =
      result.at("result").as_string() == "completed" || (options.command == "rollback" && show.was_recalled());
  std::cout << (options.json ? json::serialize(result) + "\n" : upgrade_report(result)) << std::flush;
  if (!completed) {
    std::cerr << "baton ctl " << options.command << ": " << failure(options, result)
              << ": the running process continues\n";
  }
  return completed ? 0 : exit_failed;
}

void be_patient(const Options& options, Request& request) {
  request.patience = reload_patience;
  request.silence = reload_silence;
  request.on_silence = [&options] {
    std::cerr << "baton ctl " << options.command << ": still waiting; files or names take long" << std::endl;
  };
}

// At most one byte more than a configuration may have. The error is why it cannot be read.
std::expected<std::string, std::string> read_configuration(const std::string& path) {
  const handoff::UniqueFd file(path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  ssize_t got = file ? 1 : -1;
  while (got > 0 && text.size() <= config::written_bytes_max) {
    char part[16 * 1024];
    do {
      got = ::read(file.get(), part, sizeof part);
    } while (got < 0 && errno == EINTR);
    if (got > 0) text.append(part, static_cast<std::size_t>(got));
  }
  if (got < 0) return std::unexpected("cannot be read: " + std::string(std::strerror(errno)));
  if (text.empty()) return std::unexpected("is empty");
  if (text.size() > config::written_bytes_max)
    return std::unexpected("is larger than 8 MiB, too large for a configuration");
  return text;
}

int apply(const Options& options, const Addresses& admin) {
  auto yaml = read_configuration(options.file);
  const std::string name = options.file == "-" ? "standard input" : options.file;
  if (!yaml) return fail(options, name + ": " + yaml.error());
  Request request{.method = "PUT",
                  .target = "/config" + std::string(options.dry_run ? options.json ? "?dry_run&json" : "?dry_run"
                                                    : options.json  ? "?json"
                                                                    : ""),
                  .body = *std::move(yaml),
                  .content_type = "application/yaml",
                  .token = options.token,
                  .answer_bytes_max = configuration_answer_max};
  be_patient(options, request);
  const auto answer = ask_one(admin, request);
  if (!answer) return fail(options, answer.error().text);
  const bool done = answer->status == 200;
  if (options.json && answer->content_type.starts_with("application/json")) {
    boost::system::error_code error;
    const json::value said = json::parse(answer->body, error);
    const json::value* result = said.is_object() ? said.get_object().if_contains("result") : nullptr;
    if (error || result == nullptr || *result != (done ? "ok" : "failed")) return fail(options, nonsense);
    std::cout << answer->body << "\n";
    return done ? 0 : exit_failed;
  }
  if (!done) return fail(options, with_file_name(refusal(options, *answer), name));
  if (options.json || !answer->content_type.starts_with("text/plain")) return fail(options, nonsense);
  return succeed(options, answer->body);
}

int show_configuration(const Options& options, const Addresses& admin) {
  const auto answer =
      ask_one(admin, {.target = "/config", .token = options.token, .answer_bytes_max = configuration_answer_max});
  if (!answer) return fail(options, answer.error().text);
  if (answer->status != 200) return fail(options, refusal(options, *answer));
  if (!answer->content_type.starts_with("application/yaml")) return fail(options, nonsense);
  if (options.json) return succeed(options, answer->body);
  std::cout << printable(answer->body, true) << std::flush;
  return 0;
}

int command(const Options& options, const Addresses& admin, const Request& request) {
  const auto answer = ask_one(admin, request);
  if (!answer) return fail(options, answer.error().text);
  if (answer->status != 200) return fail(options, refusal(options, *answer));
  if (!answer->content_type.starts_with("text/plain")) return fail(options, nonsense);
  return succeed(options, answer->body);
}

// Why the options mean nothing together, or by themselves; empty: they do.
std::string mistake_in(const Options& options) {
  if (options.command == "server" && (options.order == "weight") != (options.weight != 0)) {
    return "`weight` needs a number from 1 to 256, and nothing else has one";
  }
  if (!options.canary) return options.bake || options.max ? "--bake and --max need --canary" : "";
  if (options.canary == "off") {
    if (options.command == "reload") return "--canary: a reload has none unless it is asked for";
    return options.bake || options.max ? "--canary off has no --bake and no --max" : "";
  }
  const auto canary = config::parse_canary(*options.canary, options.bake, options.max);
  if (canary) return "";
  const bool is_share = canary.error().key == "share" && options.command == "upgrade";
  return fmt::format("--{}: {}{}", canary.error().key == "share" ? "canary" : canary.error().key, canary.error().text,
                     is_share ? "; or off" : "");
}

Options with_token(Options options, config::Environment environment) {
  if (const char* token = environment("BATON_ADMIN_TOKEN")) options.token = token;
  return options;
}

}  // namespace

int run(const Options& given, const std::string& default_config, config::Environment environment) {
  const Options options = with_token(given, environment);
  if (const std::string mistake = mistake_in(options); !mistake.empty()) {
    fail(options, mistake);
    return exit_usage;
  }
  const auto admin = find_admin({options.admin, options.config, default_config}, environment);
  if (!admin) {
    const int failed = fail(options, admin.error());
    return options.admin.empty() ? failed : exit_usage;
  }
  if (options.command == "status") return show(options, for_questions(*admin), "/status", status_table);
  if (options.command == "servers") return show(options, for_questions(*admin), "/servers", servers_table);
  if (options.command == "routes") return show(options, for_questions(*admin), "/routes", routes_table);
  if (options.command == "top") {
    if (options.json) return show(options, for_questions(*admin), "/status", status_table);
    const auto ended = top(for_questions(*admin), options.once);
    return ended ? 0 : fail(options, ended.error());
  }
  if (options.command == "healthcheck") {
    return command(options, for_questions(*admin), {.target = "/healthz", .patience = healthcheck_patience});
  }
  const Addresses commanded = for_commands(*admin);
  if (options.command == "apply") return apply(options, commanded);
  if (options.command == "config") return show_configuration(options, commanded);
  if (options.command == "upgrade" || options.command == "promote" || options.command == "rollback" ||
      (options.command == "reload" && options.canary)) {
    return upgrade(options, commanded);
  }
  const bool is_undo =
      (options.command == "drain" && options.undo) || (options.command == "maintenance" && !options.on);
  Request request{.method = is_undo ? "DELETE" : "POST",
                  .target = "/" + options.command,
                  .token = options.token,
                  .patience = usual_patience};
  if (options.command == "server") {
    json::object body{{"server", options.server}};
    if (options.order == "weight") {
      body["weight"] = options.weight;
    } else {
      body["order"] = options.order;
    }
    request.body = json::serialize(body);
  }
  if (options.command == "reload") be_patient(options, request);
  return command(options, commanded, request);
}

}  // namespace baton::ctl
