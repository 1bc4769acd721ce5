#include "proxy/state/hpack_wire.hpp"

namespace baton::state {

void write(const HpackTable& table, wire::HpackTable& out) {
  out.set_limit(table.limit());
  out.set_maximum(table.maximum());
  for (std::uint32_t i = table.count(); i != 0; --i) {
    const HpackTable::Entry entry = table.at(i - 1);
    wire::HpackEntry& written = *out.add_entries();
    written.set_name(entry.name.data(), entry.name.size());
    written.set_value(entry.value.data(), entry.value.size());
  }
}

bool read(const wire::HpackTable& in, HpackTable& out) {
  if (in.limit() < HpackTable::limit_default || in.limit() > HpackTable::limit_max) return false;
  if (in.maximum() > in.limit()) return false;
  out = {};
  out.raise_limit(in.limit());
  out.set_maximum(in.maximum());
  for (const wire::HpackEntry& entry : in.entries()) {
    const std::size_t room = out.maximum() - out.size();
    const std::size_t bytes = entry.name().size() + entry.value().size() + HpackTable::entry_overhead;
    if (bytes > room) return false;  // which would evict another
    out.insert(entry.name(), entry.value());
  }
  return true;
}

}  // namespace baton::state
