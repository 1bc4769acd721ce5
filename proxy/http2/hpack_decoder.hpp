// Decodes header blocks (RFC 7541). What is in names and values is judged by the caller: any byte can come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "proxy/state/hpack_table.hpp"

namespace baton::http2 {

struct HeaderField {
  std::string_view name, value;
  bool never_indexed = false;  // it is to be forwarded as such (RFC 7541 §6.2.3)
};

enum class BlockError : std::uint8_t {
  none,
  compression,  // the block is invalid, and the table with it: a connection error COMPRESSION_ERROR (RFC 9113 §4.3)
  too_large,    // the list exceeds what the caller takes; the table is right
};

// What a block stands for: scratch of a thread. The fields are valid until the next block is decoded into it; they do
// not depend on the block or the table.
class HeaderList {
 public:
  std::span<const HeaderField> fields() const { return {fields_.data(), count_}; }
  // The size of the list as RFC 9113 §6.5.2 measures it: each field is its bytes plus 32.
  std::size_t bytes() const { return bytes_; }

 private:
  friend class BlockDecoder;

  std::unique_ptr<char[]> text_;
  std::size_t text_bytes_ = 0;
  std::vector<HeaderField> fields_;  // those behind `count_` are free
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

// Decodes a whole block: the contents of a HEADERS frame and its CONTINUATIONs. Of a list that is too large, `out` gets
// the first fields, up to `list_bytes_max`. Takes time in proportion to the block and the list. Throws std::bad_alloc;
// the table is then behind the peer's, and the connection has to end.
BlockError decode_block(std::string_view block, state::HpackTable& table, std::size_t list_bytes_max, HeaderList& out);

}  // namespace baton::http2
