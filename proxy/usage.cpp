#include "proxy/usage.hpp"

#include <unistd.h>

#include <algorithm>

#include "config/suggest.hpp"

namespace baton::usage {

namespace {

struct Other {
  std::string_view word;
  std::string_view meant;
};
// What other programs call it, or where it is here.
constexpr Other others[] = {{"start", "run"},
                            {"serve", "run"},
                            {"test", "check"},
                            {"validate", "check"},
                            {"configtest", "check"},
                            {"reload", "ctl reload"},
                            {"upgrade", "ctl upgrade"},
                            {"status", "ctl status"},
                            {"stop", "ctl stop"},
                            {"quit", "ctl stop"},
                            {"restart", "ctl upgrade"},
                            {"rollback", "ctl rollback"},
                            {"drain", "ctl drain"},
                            {"reopen", "ctl reopen-logs"},
                            {"reopen-logs", "ctl reopen-logs"},
                            {"healthcheck", "ctl healthcheck"},
                            {"takeover", "run --takeover"}};

std::string did_you_mean(std::string_view command, std::string_view meant) {
  std::string text = "; did you mean `baton ";
  if (!command.empty()) text.append(command).append(" ");
  return text.append(meant).append("`?");
}

}  // namespace

std::vector<std::string> as_meant(std::vector<std::string> arguments) {
  if (arguments.size() == 2 && arguments[1] == "help") arguments[1] = "--help";
  if (arguments.size() < 2 || !arguments[1].starts_with('-')) return arguments;
  const auto test = std::find(arguments.begin() + 1, arguments.end(), "-t");
  if (test != arguments.end()) {
    arguments.erase(test);
    arguments.insert(arguments.begin() + 1, "check");
  } else if (arguments.size() == 2 && (arguments[1] == "-v" || arguments[1] == "-V")) {
    arguments[1] = "version";
  }
  return arguments;
}

std::string hint(std::string_view command, const std::string& unexpected, std::span<const std::string> known) {
  if (command.empty()) {
    const auto other = std::ranges::find(others, unexpected, &Other::word);
    if (other != std::end(others)) return did_you_mean("", other->meant);
    if (unexpected == "-c" || unexpected == "--config")
      return "; say what to do with it: `baton run -c FILE`, or `baton check -c FILE`";
  }
  const std::vector<std::string_view> words(known.begin(), known.end());
  const bool is_option = unexpected.starts_with('-');
  const std::string_view word = std::string_view(unexpected).substr(0, unexpected.find('='));
  const bool is_letter = is_option && word.size() <= 2;  // as near to any other as to the one that was meant
  if (const auto meant = is_letter ? std::nullopt : config::suggest(word, words);
      meant && meant->starts_with('-') == is_option)
    return did_you_mean(command, *meant);
  const bool names_file = !is_option && (unexpected.ends_with(".yaml") || unexpected.ends_with(".yml") ||
                                         ::access(unexpected.c_str(), F_OK) == 0);
  if (names_file) return did_you_mean(command.empty() ? "run" : command, "-c " + unexpected);
  return {};
}

}  // namespace baton::usage
