// The header blocks that wait in a stream, for tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "proxy/http2/frame_format.hpp"
#include "proxy/http2/hpack_decoder.hpp"
#include "proxy/state/stream.hpp"

namespace baton::engine {

// "name=value name=value ".
inline std::string fields_of(std::string_view block) {
  state::HpackTable table;
  http2::HeaderList list;
  EXPECT_EQ(http2::decode_block(block, table, 16'384, list), http2::BlockError::none);
  std::string text;
  for (const http2::HeaderField& field : list.fields()) {
    text.append(field.name).append("=").append(field.value).append(" ");
  }
  return text;
}

// Takes the next head, and says whether it ends the stream.
inline std::pair<std::string, bool> take_head(state::Stream& stream) {
  state::Buffer& heads = stream.heads;
  if (heads.empty()) return {"", false};
  const http2::BlockMark mark = http2::read_block_mark(heads.data());
  const std::string fields = fields_of(heads.view().substr(http2::block_mark_bytes, mark.bytes));
  heads.consume(http2::block_mark_bytes + mark.bytes);
  return {fields, mark.ends_stream};
}

}  // namespace baton::engine
