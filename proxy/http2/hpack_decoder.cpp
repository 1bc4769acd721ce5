#include "proxy/http2/hpack_decoder.hpp"

#include <algorithm>
#include <cstring>

#include "proxy/http2/hpack_static.hpp"
#include "proxy/http2/huffman.hpp"

namespace baton::http2 {

class BlockDecoder {
 public:
  BlockDecoder(std::string_view block, state::HpackTable& table, std::size_t list_bytes_max, HeaderList& out)
      : at_(block.data()), end_(at_ + block.size()), table_(table), left_(list_bytes_max), out_(out) {
    // Beside the fields that are kept, there is only ever one more, which may turn out to be too large.
    const std::size_t text_bytes =
        list_bytes_max + table.limit() + huffman_text_bytes_max(block.size()) + huffman_slack + chunk;
    if (out.text_bytes_ < text_bytes) {
      out.text_bytes_ = 0;
      out.text_ = std::make_unique_for_overwrite<char[]>(text_bytes);
      out.text_bytes_ = text_bytes;
    }
    text_ = out.text_.get();
    use_fields(0);
    out.bytes_ = 0;
  }

  BlockError run() {
    const bool is_valid = size_updates() && fields();
    out_.count_ = static_cast<std::size_t>(next_field_ - out_.fields_.data());
    if (!is_valid) return BlockError::compression;
    return is_too_large_ ? BlockError::too_large : BlockError::none;
  }

 private:
  // How a field is represented (RFC 7541 §6), and how many bits of the first byte belong to its integer.
  static constexpr unsigned char indexed = 0x80, indexing = 0x40, size_update = 0x20, never_indexed = 0x10;
  static constexpr unsigned indexed_bits = 7, indexing_bits = 6, size_update_bits = 5, literal_bits = 4;
  static constexpr unsigned char huffman = 0x80;
  static constexpr unsigned length_bits = 7;

  unsigned char next() const { return static_cast<unsigned char>(*at_); }

  // Only at the beginning of a block, and no more than tell of a maximum that fell and rose again (RFC 7541 §4.2).
  bool size_updates() {
    for (int i = 0; at_ != end_ && (next() & 0xe0) == size_update; ++i) {
      std::uint32_t maximum = 0;
      if (i == 2 || !integer(size_update_bits, maximum) || maximum > table_.limit()) return false;
      table_.set_maximum(maximum);
    }
    return true;
  }

  bool fields() {
    while (at_ != end_) {
      const unsigned char first = next();
      const bool is_valid = first & indexed              ? indexed_field()
                            : first & indexing           ? literal(indexing_bits, first)
                            : (first & size_update) == 0 ? literal(literal_bits, first)
                                                         : false;
      if (!is_valid) return false;
    }
    return true;
  }

  bool indexed_field() {
    std::uint32_t index = 0;
    if (!integer(indexed_bits, index)) return false;
    if (index <= static_fields_count) {
      const StaticField& field = static_fields[index];
      if (takes(field.name.size() + field.value.size())) *next_field_++ = {field.name, field.value};
      return index != 0;
    }
    index -= static_fields_count + 1;
    if (index >= table_.count()) return false;
    const state::HpackTable::Entry entry = table_.at(index);
    const std::size_t name_bytes = entry.name.size(), bytes = name_bytes + entry.value.size();
    if (!takes(bytes)) return true;
    char* const text = text_;
    text_ = copy_chunks(entry.name.data(), bytes, text);
    *next_field_++ = {{text, name_bytes}, {text + name_bytes, entry.value.size()}};
    return true;
  }

  bool literal(unsigned index_bits, unsigned char first) {
    char* const before = text_;
    std::uint32_t index = 0;
    HeaderField field;
    if (!integer(index_bits, index)) return false;
    if (!(index == 0 ? string(field.name) : name(index, field.name)) || !string(field.value)) return false;
    if (index_bits == indexing_bits) {
      table_.insert(field.name, field.value);
    } else {
      field.never_indexed = (first & never_indexed) != 0;
    }
    if (takes(field.name.size() + field.value.size())) {
      *next_field_++ = field;
    } else {
      text_ = before;
    }
    return true;
  }

  bool name(std::uint32_t index, std::string_view& name) {
    if (index <= static_fields_count) return name = static_fields[index].name, true;
    index -= static_fields_count + 1;
    if (index >= table_.count()) return false;
    name = copy(table_.at(index).name);
    return true;
  }

  // Whether the list takes a field of that size. If it does, there is room for it.
  bool takes(std::size_t text_bytes) {
    const std::size_t bytes = text_bytes + state::HpackTable::entry_overhead;
    if (bytes > left_) [[unlikely]] {
      is_too_large_ = true;
      left_ = 0;  // nothing behind it is kept either
      return false;
    }
    left_ -= bytes;
    out_.bytes_ += bytes;
    if (next_field_ == fields_end_) [[unlikely]]
      use_fields(out_.fields_.size());
    return true;
  }
  // The memory for fields, of which so many are there; makes room for another.
  void use_fields(std::size_t count) {
    if (count == out_.fields_.size()) out_.fields_.resize(2 * count + 16);
    next_field_ = out_.fields_.data() + count;
    fields_end_ = out_.fields_.data() + out_.fields_.size();
  }

  // Copies whole chunks: what follows both texts is readable, or writable.
  static constexpr std::size_t chunk = state::HpackTable::readable_behind;
  static char* copy_chunks(const char* from, std::size_t bytes, char* to) {
    for (std::size_t at = 0; at < bytes; at += chunk) std::memcpy(to + at, from + at, chunk);
    return to + bytes;
  }

  std::string_view copy(std::string_view text) {
    char* const begin = text_;
    text_ = std::copy(text.begin(), text.end(), begin);
    return {begin, text.size()};
  }

  // RFC 7541 §5.1, in at most 32 bits.
  bool integer(unsigned prefix_bits, std::uint32_t& value) {
    const std::uint32_t prefix_max = (1U << prefix_bits) - 1;
    if (at_ == end_) return false;
    value = static_cast<unsigned char>(*at_++) & prefix_max;
    return value < prefix_max || more_of_integer(value);
  }
  bool more_of_integer(std::uint32_t& value) {
    std::uint64_t sum = value;
    for (unsigned shift = 0; shift < 32; shift += 7) {
      if (at_ == end_) return false;
      const auto byte = static_cast<unsigned char>(*at_++);
      sum += std::uint64_t{byte & 0x7fU} << shift;
      if ((byte & 0x80) != 0) continue;
      value = static_cast<std::uint32_t>(sum);
      return sum == value;
    }
    return false;
  }

  // RFC 7541 §5.2.
  bool string(std::string_view& out) {
    if (at_ == end_) return false;
    const bool is_code = (next() & huffman) != 0;
    std::uint32_t bytes = 0;
    if (!integer(length_bits, bytes) || bytes > static_cast<std::size_t>(end_ - at_)) return false;
    const std::string_view raw(at_, bytes);
    at_ += bytes;
    if (!is_code) return out = copy(raw), true;
    char* const begin = text_;
    char* const end = decode_huffman(raw, begin);
    if (end == nullptr) return false;
    text_ = end;
    out = {begin, static_cast<std::size_t>(end - begin)};
    return true;
  }

  const char* at_;
  const char* const end_;
  state::HpackTable& table_;
  std::size_t left_;  // of the list
  bool is_too_large_ = false;
  HeaderList& out_;
  HeaderField* next_field_ = nullptr;
  HeaderField* fields_end_ = nullptr;
  char* text_ = nullptr;  // where the next text goes
};

BlockError decode_block(std::string_view block, state::HpackTable& table, std::size_t list_bytes_max, HeaderList& out) {
  return BlockDecoder(block, table, list_bytes_max, out).run();
}

}  // namespace baton::http2
