#include "config/resolve_schema.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/address.hpp"
#include "config/names.hpp"
#include "config/text.hpp"

namespace baton::config {
namespace {

constexpr std::string_view dns_port = ":53";
// A shorter time would be an attack on the name server.
constexpr Bounds every_bounds{.least = 1'000, .most = 24ULL * 3600 * 1000};

// An IP address; its port is 53 unless written.
void read_nameserver(Reader& reader, const Node& node, Resolve& resolve) {
  const auto text = reader.text(node);
  if (!text) return;
  auto address = parse_address(*text, AddressUse::connect);
  if (!address) address = parse_address(*text + std::string(dns_port), AddressUse::connect);
  const bool is_usable = address && is_ip_address(address->host) && address->host.find('%') == std::string::npos;
  if (!is_usable) {
    reader.refuse(node, fmt::format("{} is not the IP address of a name server; write it like 10.0.0.2 or "
                                    "127.0.0.1:8600",
                                    quote(*text)));
    return;
  }
  resolve.nameservers.push_back(*std::move(address));
}

void read_nameservers(Reader& reader, const Node& node, Resolve& resolve) {
  const auto items = reader.one_or_list(node);
  if (items.empty()) reader.refuse(node, "the list is empty");
  for (const Node& item : items) read_nameserver(reader, item, resolve);
}

constexpr Key<Resolve> resolve_keys[] = {
    {"every", read_duration<&Resolve::every, every_bounds>},
    {"family", read_choice<&Resolve::family, name_families>},
    {"nameservers", read_nameservers},
};
std::string resolve_of(std::string_view text) {
  const auto every = parse_duration(text, every_bounds);
  return every ? fmt::format("{{ every: {} }}", text) : "{ every: 10s }";
}

constexpr Section<Resolve> resolve_section{"upstreams.resolve", "in `resolve`", resolve_keys, resolve_of};

}  // namespace

void read_resolve(Reader& reader, const Node& node, Upstream& upstream) {
  read_section(reader, node, resolve_section, upstream.resolve.emplace());
}

void check_resolve(Reader& reader, const Upstream& upstream) {
  for (const Server& server : upstream.servers) {
    if (server.address.srv.empty()) continue;
    if (!upstream.resolve) {
      reader.report(server.address.where,
                    fmt::format("`{}` names SRV records, which change; add `resolve: {{}}` to the upstream",
                                server.address.text()));
    }
    if (server.weight != 1) {
      reader.report(server.address.where,
                    fmt::format("the weights of `{}` are in its SRV records; remove `weight`", server.address.text()));
    }
  }
}

void add_resolve_keys(std::vector<KnownKey>& known) {
  add_keys(known, resolve_section);
}

}  // namespace baton::config
