#include "config/canary_schema.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/scalars.hpp"

namespace baton::config {
namespace {

constexpr Bounds share_bounds{.least = 1, .most = canary_share_max};
constexpr Bounds time_bounds{.least = 1'000, .most = 24 * 3'600'000};

Milliseconds default_max(Milliseconds bake) {
  return std::max(Canary{}.max, bake);
}

Parsed<Milliseconds> parse_max(std::string_view text, std::optional<Milliseconds> bake) {
  auto max = parse_duration(text, time_bounds);
  if (!max || !bake || *max >= *bake) return max;
  return std::unexpected(fmt::format("{} is less than `bake` {}", duration_text(*max), duration_text(*bake)));
}

struct CanaryDraft {
  Canary canary;
  std::optional<Milliseconds> bake = Canary{}.bake;  // nothing: what is written is none
  bool has_max = false;
};

void read_share(Reader& reader, const Node& node, CanaryDraft& draft) {
  if (const auto text = reader.text(node)) reader.assign(draft.canary.share, node, parse_share(*text, share_bounds));
}

void read_bake(Reader& reader, const Node& node, CanaryDraft& draft) {
  draft.bake.reset();
  if (const auto text = reader.text(node)) reader.assign(draft.bake, node, parse_duration(*text, time_bounds));
}

void read_max(Reader& reader, const Node& node, CanaryDraft& draft) {
  draft.has_max = true;
  if (const auto text = reader.text(node)) reader.assign(draft.canary.max, node, parse_max(*text, draft.bake));
}

constexpr Key<CanaryDraft> canary_keys[] = {
    {"share", read_share, true},
    {"bake", read_bake},
    // Needs `bake`.
    {"max", read_max},
};
std::string canary_of(std::string_view text) {
  return fmt::format("{{ share: {} }}", parse_share(text, share_bounds) ? text : "5%");
}

constexpr Section<CanaryDraft> canary_section{"handoff.canary", "in `canary`", canary_keys, canary_of};

}  // namespace

void read_canary(Reader& reader, const Node& node, Handoff& handoff) {
  CanaryDraft draft;
  if (!read_section(reader, node, canary_section, draft)) return;
  draft.canary.bake = *draft.bake;
  if (!draft.has_max) draft.canary.max = default_max(draft.canary.bake);
  handoff.canary = draft.canary;
}

void add_canary_keys(std::vector<KnownKey>& known) {
  add_keys(known, canary_section);
}

std::string canary_text(const Canary& canary) {
  return fmt::format("{{ share: {}, bake: {}, max: {} }}", share_text(canary.share), duration_text(canary.bake),
                     duration_text(canary.max));
}

std::expected<Canary, CanaryMistake> parse_canary(std::string_view share, const std::optional<std::string>& bake,
                                                  const std::optional<std::string>& max) {
  Canary canary;
  const auto parsed_share = parse_share(share, share_bounds);
  if (!parsed_share) return std::unexpected(CanaryMistake{"share", parsed_share.error()});
  canary.share = *parsed_share;
  if (bake) {
    const auto parsed = parse_duration(*bake, time_bounds);
    if (!parsed) return std::unexpected(CanaryMistake{"bake", parsed.error()});
    canary.bake = *parsed;
  }
  canary.max = default_max(canary.bake);
  if (max) {
    const auto parsed = parse_max(*max, canary.bake);
    if (!parsed) return std::unexpected(CanaryMistake{"max", parsed.error()});
    canary.max = *parsed;
  }
  return canary;
}

}  // namespace baton::config
