// Understands command lines written in haste or in the style of other servers, for `baton` and `baton-demo`.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace baton::usage {

// The end of every help text.
inline constexpr const char* exit_codes =
    "Exit codes: 0 done; 1 failed, unhealthy, rolled back or not running; 2 wrong usage.";

// `baton -t …` checks and `baton -v` prints the version, as with other servers, also combined (`-vt`, `-tc FILE`). With
// both it checks. Everything else is unchanged. `arguments` begins with the program's name.
std::vector<std::string> as_meant(std::vector<std::string> arguments);

// What to write instead of a command line that is not understood, as the end of a message; empty: no suggestion.
// `unexpected` is the word that is not allowed there, after `command` ("", "run", "ctl"), and `next` the one behind it;
// `known` words are allowed.
std::string hint(std::string_view command, const std::string& unexpected, std::span<const std::string> known,
                 std::string_view next = {});

// What is wrong with a command line that `app` refused with `error`, and what to write instead. The name of `app` is
// the command of `baton` that it stands for; without a name it is `baton` itself.
std::string explain(const CLI::App& app, const CLI::ParseError& error);

}  // namespace baton::usage
