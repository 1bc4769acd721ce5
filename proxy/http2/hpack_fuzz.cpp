// nghttp2 accepts what we accept, with the same fields and the same table; our own blocks decode again. The input is a
// byte of options, then blocks with a byte of length before each (255: all that is left).
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proxy/http2/hpack_decoder.hpp"
#include "proxy/http2/hpack_encoder.hpp"
#include "proxy/http2/judge.hpp"
#include "proxy/state/buffer.hpp"
#include "proxy/state/hpack_wire.hpp"

namespace {

using namespace baton;
using namespace baton::http2;

constexpr std::size_t plenty = 256 * 1024;

void require(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

bool begins_with_three_size_updates(std::string_view block) {
  for (int i = 0; i < 3; ++i) {
    if (block.empty() || (block[0] & 0xe0) != 0x20) return false;
    std::size_t bytes = 1;
    if ((block[0] & 0x1f) == 0x1f) {
      while (bytes < block.size() && (block[bytes++] & 0x80) != 0) {
      }
    }
    block.remove_prefix(bytes);
  }
  return true;
}

state::HpackTable moved_to_another_process(const state::HpackTable& table) {
  state::HpackTable moved;
  require(decode(encode(table), moved), "our own table is refused");
  require(moved == table, "the table has changed on its way");
  return moved;
}

bool is_token_in_lower_case(std::string_view name) {
  if (name.starts_with(':')) name.remove_prefix(1);
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || std::string_view("!#$%&'*+-.^_`|~").contains(c);
  });
}

bool same(std::span<const HeaderField> some, const judge::Fields& others) {
  return std::ranges::equal(some, others, [](const HeaderField& one, const judge::Field& other) {
    const auto& [name, value, never_indexed] = other;
    return one.name == name && one.value == value && one.never_indexed == never_indexed;
  });
}

void check_written(const judge::Fields& fields) {
  static HeaderList list;
  state::Buffer block;
  judge::Fields written;
  for (const judge::Field& field : fields) {
    const auto& [name, value, never_indexed] = field;
    if (!is_token_in_lower_case(name)) continue;
    const std::size_t before = block.size();
    append_field(block, name, value, never_indexed);
    require(block.size() - before <= field_bytes_max(name.size(), value.size()), "more bytes than announced");
    written.push_back(field);
  }
  require(judge::Inflater().decode(block.view()) == written, "nghttp2 reads other fields than were written");
  state::HpackTable table;
  const BlockError error = decode_block(block.view(), table, plenty, list);
  require(error != BlockError::compression && table.count() == 0, "our own block is refused, or uses the table");
  require(error == BlockError::too_large || same(list.fields(), written), "we read other fields than were written");
}

std::size_t bytes_of(const judge::Fields& fields) {
  std::size_t sum = 0;
  for (const auto& [name, value, never_indexed] : fields) sum += name.size() + value.size() + 32;
  return sum;
}

// Only the first fields are kept, all of them if they fit.
void check_list(BlockError error, const HeaderList& list, std::size_t limit, judge::Fields fields) {
  require(error == (bytes_of(fields) > limit ? BlockError::too_large : BlockError::none),
          "another verdict on its size");
  require(error == BlockError::too_large ? list.fields().size() < fields.size() : list.fields().size() == fields.size(),
          "another number of fields");
  if (error == BlockError::too_large) {
    const judge::Field& next = fields[list.fields().size()];
    require(list.bytes() + bytes_of({next}) > limit, "a field that fits is missing");
    fields.resize(list.fields().size());
  }
  require(same(list.fields(), fields), "other fields");
  require(list.bytes() == bytes_of(fields) && list.bytes() <= limit, "another size");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static HeaderList list;
  std::string_view input{reinterpret_cast<const char*>(data), size};
  if (input.empty()) return 0;
  const std::uint32_t limit = (input[0] & 1) != 0 ? state::HpackTable::limit_max : state::HpackTable::limit_default;
  input.remove_prefix(1);
  state::HpackTable table;
  table.raise_limit(limit);
  judge::Inflater inflater(limit);
  while (!input.empty()) {
    const auto length = static_cast<unsigned char>(input[0]);
    const std::string_view block = input.substr(1, length == 255 ? input.npos : length);
    input.remove_prefix(1 + block.size());

    const state::HpackTable before = table;
    const BlockError error = decode_block(block, table, plenty, list);
    if (error == BlockError::compression && begins_with_three_size_updates(block)) return 0;
    const std::optional<judge::Fields> fields = inflater.decode(block);
    require((error != BlockError::compression) == fields.has_value(), "nghttp2 has another verdict");
    if (!fields) return 0;
    check_list(error, list, plenty, *fields);
    const std::string difference = inflater.difference(table);
    require(difference.empty(), difference);
    check_written(*fields);

    // Whatever is kept of the list, the table is the same.
    state::HpackTable again = before;
    const std::size_t limit_of_list = list.bytes() / 2;
    check_list(decode_block(block, again, limit_of_list, list), list, limit_of_list, *fields);
    require(again == table, "another table");
    table = moved_to_another_process(table);
  }
  return 0;
}
