#include "proxy/usage.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <iterator>

#include "config/suggest.hpp"

namespace baton::usage {

namespace {

struct Other {
  std::string_view word;
  std::string_view meant;
};
// Words of other programs, and ours for the same.
constexpr Other others[] = {{"start", "run"},
                            {"serve", "run"},
                            {"test", "check"},
                            {"validate", "check"},
                            {"configtest", "check"},
                            {"reload", "ctl reload"},
                            {"upgrade", "ctl upgrade"},
                            {"status", "ctl status"},
                            {"top", "ctl top"},
                            {"stop", "ctl stop"},
                            {"quit", "ctl stop"},
                            {"restart", "ctl upgrade"},
                            {"rollback", "ctl rollback"},
                            {"drain", "ctl drain"},
                            {"maintenance", "ctl maintenance"},
                            {"reopen", "ctl reopen-logs"},
                            {"reopen-logs", "ctl reopen-logs"},
                            {"healthcheck", "ctl healthcheck"},
                            {"takeover", "run --takeover"}};

std::string did_you_mean(std::string_view command, std::string_view meant) {
  std::string text = "; did you mean `baton ";
  if (!command.empty()) text.append(command).append(" ");
  return text.append(meant).append("`?");
}

// Words with the options of other servers taken out: `-t`, `-v` and `-V`, which may share a word with each other and
// with a `-c` behind them (`-tc FILE`, `-tcFILE`).
struct Letters {
  bool test = false;
  bool version = false;
  std::vector<std::string> rest;

  // False: the word is something else.
  bool take(const std::string& word) {
    const std::size_t end = std::min(word.find_first_not_of("tvV", 1), word.size());
    if (word.size() < 2 || word[0] != '-' || (end != word.size() && word[end] != 'c')) return false;
    const std::string_view letters = std::string_view(word).substr(1, end - 1);
    test |= letters.find('t') != std::string_view::npos;
    version |= letters.find_first_of("vV") != std::string_view::npos;
    if (end == word.size()) return true;
    rest.emplace_back("-c");
    if (end + 1 != word.size()) rest.push_back(word.substr(end + 1));
    return true;
  }
};

}  // namespace

std::vector<std::string> as_meant(std::vector<std::string> arguments) {
  if (arguments.size() == 2 && arguments[1] == "help") arguments[1] = "--help";
  if (arguments.size() < 2 || !arguments[1].starts_with('-')) return arguments;
  Letters letters;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    const bool is_file = !letters.rest.empty() && letters.rest.back() == "-c";
    if (is_file || !letters.take(word)) letters.rest.push_back(word);
  }
  if (!letters.test && !letters.version) return arguments;
  std::vector<std::string> meant{arguments[0], letters.test ? "check" : "version"};
  std::ranges::move(letters.rest, std::back_inserter(meant));
  return meant;
}

std::string hint(std::string_view command, const std::string& unexpected, std::span<const std::string> known,
                 std::string_view next) {
  if (command.empty() || command == "run") {
    // `-s SIGNAL` of nginx, also in one word.
    const std::string_view signal = unexpected == "-s"             ? next
                                    : unexpected.starts_with("-s") ? std::string_view(unexpected).substr(2)
                                                                   : std::string_view();
    const auto sent = std::ranges::find(others, signal, &Other::word);
    if (sent != std::end(others)) return did_you_mean("", sent->meant);
  }
  if (command == "run" && unexpected == "-t") return did_you_mean("", "check");
  if (command == "run" && (unexpected == "-v" || unexpected == "-V")) return did_you_mean("", "version");
  if (command.empty()) {
    const auto other = std::ranges::find(others, unexpected, &Other::word);
    if (other != std::end(others)) return did_you_mean("", other->meant);
    if (unexpected == "-c" || unexpected == "--config")
      return "; say what to do with it: `baton run -c FILE`, or `baton check -c FILE`";
  }
  const std::vector<std::string_view> words(known.begin(), known.end());
  const bool is_option = unexpected.starts_with('-');
  const std::string_view word = std::string_view(unexpected).substr(0, unexpected.find('='));
  const bool is_letter = is_option && word.size() <= 2;  // equally close to any other letter
  if (const auto meant = is_letter ? std::nullopt : config::suggest(word, words);
      meant && meant->starts_with('-') == is_option)
    return did_you_mean(command, *meant);
  const bool names_file = !is_option && (unexpected.ends_with(".yaml") || unexpected.ends_with(".yml") ||
                                         ::access(unexpected.c_str(), F_OK) == 0);
  if (names_file) return did_you_mean(command.empty() ? "run" : command, "-c " + unexpected);
  return {};
}

std::string explain(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* command = &app;
  std::string words = app.get_name();
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    words += (words.empty() ? "" : " ") + command->get_name();
  }
  const std::string help = "; see `baton" + (words.empty() ? "" : " " + words) + " --help`";
  std::vector<std::string> known;
  for (const CLI::App* one : command->get_subcommands(nullptr)) known.push_back(one->get_name());
  for (const CLI::Option* option : command->get_options()) {
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    for (const std::string& name : option->get_snames()) known.push_back("-" + name);
  }
  // Options of `baton ctl` may stand behind its commands.
  const std::vector<std::string> unexpected = app.remaining(true);
  if (unexpected.empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    return "a command is missing" + help;
  }
  if (unexpected.empty()) return error.what() + help;
  const bool is_option = unexpected.front().starts_with('-');
  const bool is_command = words.empty() || words == "ctl";
  const std::string next = unexpected.size() > 1 ? unexpected[1] : "";
  const std::string meant = hint(words, unexpected.front(), known, next);
  return fmt::format("there is no {} `{}`{}{}", is_option ? "option" : is_command ? "command" : "argument",
                     unexpected.front(), words.empty() ? "" : " of `baton " + words + "`",
                     meant.empty() ? help : meant);
}

}  // namespace baton::usage
