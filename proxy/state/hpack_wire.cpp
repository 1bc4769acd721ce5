#include "proxy/state/hpack_wire.hpp"

#include "proxy/state/wire_io.hpp"

namespace baton::state {

namespace {

constexpr unsigned limit_field = 1, maximum_field = 2, entries_field = 3;
constexpr unsigned name_field = 1, value_field = 2;

}  // namespace

void write(const HpackTable& table, Writer& out) {
  for (std::uint32_t i = 0; i != table.count(); ++i) {  // the oldest is written last, and comes first
    const HpackTable::Entry entry = table.at(i);
    out.within(entries_field, [&](Writer& written) {
      written.part(name_field, entry.name, entry.name.size());
      written.part(value_field, entry.value, entry.value.size());
    });
  }
  out.number(maximum_field, table.maximum());
  out.number(limit_field, table.limit());
}

bool read(Reader& in, HpackTable& out) {
  std::uint32_t limit = 0, maximum = 0;
  if (!in.number(limit_field, limit) || !in.number(maximum_field, maximum)) return false;
  if (limit < HpackTable::limit_default || limit > HpackTable::limit_max || maximum > limit) return false;
  out = {};
  out.raise_limit(limit);
  out.set_maximum(maximum);
  return in.each_record(entries_field, [&](Reader& entry) {
    const std::string_view name = entry.text(name_field), value = entry.text(value_field);
    const std::size_t room = out.maximum() - out.size();
    if (name.size() + value.size() + HpackTable::entry_overhead > room) return false;  // it would evict another
    out.insert(name, value);
    return true;
  });
}

std::string encode(const HpackTable& table) {
  Writer out;
  write(table, out);
  return std::string(out.written());
}

bool decode(std::string_view record, HpackTable& out) {
  std::string_view no_secrets;
  return Reader::read(record, {0, no_secrets}, [&](Reader& in) { return state::read(in, out); });
}

}  // namespace baton::state
