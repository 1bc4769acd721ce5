// Understands command lines written in haste or in the style of other servers.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace baton::usage {

// `baton -t …` checks and `baton -v` prints the version, as with other servers, also combined (`-vt`, `-tc FILE`). With
// both it checks. Everything else is unchanged. `arguments` begins with the program's name.
std::vector<std::string> as_meant(std::vector<std::string> arguments);

// What to write instead of a command line that is not understood, as the end of a message; empty: no suggestion.
// `unexpected` is the word that is not allowed there, after `command` ("", "run", "ctl"); `known` words are.
std::string hint(std::string_view command, const std::string& unexpected, std::span<const std::string> known);

}  // namespace baton::usage
