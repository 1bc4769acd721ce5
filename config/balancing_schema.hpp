// The keys of an upstream that say which of its servers a request goes to.
#pragma once

#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

void read_balance(Reader& reader, const Node& node, Upstream& upstream);
void read_hash(Reader& reader, const Node& node, Upstream& upstream);  // needs the balance
void read_sticky(Reader& reader, const Node& node, Upstream& upstream);
void read_slow_start(Reader& reader, const Node& node, Upstream& upstream);
void read_queue(Reader& reader, const Node& node, Upstream& upstream);  // needs the servers
void read_keep_alive(Reader& reader, const Node& node, Upstream& upstream);
void read_when_none_is_up(Reader& reader, const Node& node, Upstream& upstream);

void add_balancing_keys(std::vector<KnownKey>& known);

// As YAML, one line for each key that is not at its default; for `print`.
std::vector<std::string> balancing_lines(const Balancing& balancing);

}  // namespace baton::config
