// The keys of `handoff.canary`, and the same values where a command gives them.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

void read_canary(Reader& reader, const Node& node, Handoff& handoff);
void add_canary_keys(std::vector<KnownKey>& known);

// As `print` writes it.
std::string canary_text(const Canary& canary);

// What is wrong with one of the values.
struct CanaryMistake {
  std::string_view key;  // share, bake or max
  std::string text;
};

// Values as a file has them; without `bake` or `max` their defaults.
std::expected<Canary, CanaryMistake> parse_canary(std::string_view share, const std::optional<std::string>& bake,
                                                  const std::optional<std::string>& max);

}  // namespace baton::config
