#include "config/split_schema.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/entry_name.hpp"
#include "config/text.hpp"

namespace baton::config {
namespace {

constexpr Key<Share> share_keys[] = {
    {"upstream", read_name<&Share::upstream>, true},
    {"weight", read_count<&Share::weight, Bounds{.least = 0, .most = 1'000'000}>, true},
};
std::string share_of(std::string_view text) {
  return fmt::format("{{ upstream: {}, weight: 1 }}", parse_name(text) ? text : "app");
}

constexpr Section<Share> share_section{"routes.split", "in `split`", share_keys, share_of};

}  // namespace

void read_split(Reader& reader, const Node& node, Route& route) {
  const std::size_t problems_before = reader.problem_count();
  const auto entries = reader.list(node, "`- { upstream: web, weight: 95 }`");
  if (!entries) return;
  for (const Node& entry : *entries) {
    Share& share = route.split.emplace_back();
    share.where = reader.position(entry);
    read_section(reader, entry, share_section, share);
    const auto before = std::ranges::find(route.split, share.upstream, &Share::upstream);
    if (!share.upstream.empty() && &*before != &share) {
      reader.report(share.where, fmt::format("{} stands twice in `split`", quote(share.upstream)));
    }
  }
  const bool is_whole = reader.problem_count() == problems_before;
  if (is_whole && std::ranges::all_of(route.split, [](const Share& share) { return share.weight == 0; })) {
    reader.refuse(node, "every weight is 0, so no upstream would get a request");
  }
}

void add_split_keys(std::vector<KnownKey>& known) {
  add_keys(known, share_section);
}

}  // namespace baton::config
