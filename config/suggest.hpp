// Guesses what a misspelt word was meant to be.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace baton::config {

// The known word that `word` is most likely a misspelling of: few edits away, or beginning with it. Ignores case and
// treats `-` and `_` as equal.
std::optional<std::string_view> suggest(std::string_view word, std::span<const std::string_view> known);

// "; did you mean `KNOWN`?" or empty, to be appended to a message.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

}  // namespace baton::config
