// What somebody meant who wrote something else.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace baton::config {

// The known word that `word` is most likely a misspelling of: few edits away, or begun with it. Case and the
// difference between `-` and `_` count for nothing.
std::optional<std::string_view> suggest(std::string_view word, std::span<const std::string_view> known);

// "; did you mean `KNOWN`?" or nothing, to be put at the end of a message.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

}  // namespace baton::config
