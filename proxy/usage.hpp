// Command lines as people write them who come from elsewhere, or in a hurry.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace baton::usage {

// `baton -t …` checks and `baton -v` tells the version, as with other servers, also in one word (`-vt`, `-tc FILE`).
// With both it checks. All else stays as it is. `arguments` have the program's name first.
std::vector<std::string> as_meant(std::vector<std::string> arguments);

// What to write instead of a command line that is not understood, as the end of a message; empty: nobody knows.
// `unexpected` is the word that cannot stand there, behind `command` ("", "run", "ctl"); `known` may.
std::string hint(std::string_view command, const std::string& unexpected, std::span<const std::string> known);

}  // namespace baton::usage
