// nghttp2's codec judges ours; only tests and fuzz targets include it.
//
// Where both differ:
// - A third size update at the beginning of a block: nghttp2 takes it. RFC 7541 §4.2: "This will result in at most two
//   dynamic table size updates."
// - A string over 64 KiB: nghttp2 refuses it. We leave the limit to the caller, who bounds the block and the list.
#pragma once

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "proxy/http2/hpack_decoder.hpp"
#include "proxy/state/hpack_table.hpp"

namespace baton::http2::judge {

// Name, value, and whether it is never to be indexed.
using Field = std::tuple<std::string, std::string, bool>;
using Fields = std::vector<Field>;

inline Fields fields_of(const HeaderList& list) {
  Fields fields;
  for (const HeaderField& field : list.fields()) fields.emplace_back(field.name, field.value, field.never_indexed);
  return fields;
}

inline std::string text_of(const nghttp2_rcbuf* buffer) {
  const nghttp2_vec bytes = nghttp2_rcbuf_get_buf(const_cast<nghttp2_rcbuf*>(buffer));
  return {reinterpret_cast<const char*>(bytes.base), bytes.len};
}
inline std::string text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

// A peer that decodes.
class Inflater {
 public:
  explicit Inflater(std::uint32_t limit = state::HpackTable::limit_default) {
    nghttp2_hd_inflater* made = nullptr;
    if (nghttp2_hd_inflate_new(&made) != 0) throw std::bad_alloc();
    inflater_.reset(made);
    nghttp2_hd_inflate_change_table_size(made, limit);
  }

  // Nothing: the block is refused, and the inflater is of no more use.
  std::optional<Fields> decode(std::string_view block) {
    Fields fields;
    const bool is_valid = each(block, [&](const nghttp2_nv& field) {
      fields.emplace_back(text_of(field.name, field.namelen), text_of(field.value, field.valuelen),
                          (field.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0);
    });
    return is_valid ? std::optional(std::move(fields)) : std::nullopt;
  }

  // The number of fields in a valid block.
  std::size_t count(std::string_view block) {
    std::size_t sum = 0;
    each(block, [&](const nghttp2_nv&) { ++sum; });
    return sum;
  }

  // How our table differs from this one; empty: it does not.
  std::string difference(const state::HpackTable& table) const {
    constexpr std::size_t first_dynamic = 62;
    const std::size_t count = nghttp2_hd_inflate_get_num_table_entries(inflater_.get()) - (first_dynamic - 1);
    if (table.count() != count) return fmt::format("{} entries, not {}", table.count(), count);
    if (table.size() != nghttp2_hd_inflate_get_dynamic_table_size(inflater_.get())) return "another size";
    if (table.maximum() != nghttp2_hd_inflate_get_max_dynamic_table_size(inflater_.get())) return "another maximum";
    for (std::uint32_t i = 0; i < count; ++i) {
      const nghttp2_nv& entry = *nghttp2_hd_inflate_get_table_entry(inflater_.get(), first_dynamic + i);
      if (table.at(i).name != text_of(entry.name, entry.namelen)) return fmt::format("another name of entry {}", i);
      if (table.at(i).value != text_of(entry.value, entry.valuelen)) return fmt::format("another value of entry {}", i);
    }
    return {};
  }

 private:
  bool each(std::string_view block, auto visit) {
    const auto* at = reinterpret_cast<const std::uint8_t*>(block.data());
    std::size_t left = block.size();
    for (;;) {
      nghttp2_nv field;
      int flags = 0;
      const auto taken = nghttp2_hd_inflate_hd2(inflater_.get(), &field, &flags, at, left, 1);
      if (taken < 0) return false;
      at += taken;
      left -= static_cast<std::size_t>(taken);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) visit(field);
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_.get());
    return true;
  }

  struct Free {
    void operator()(nghttp2_hd_inflater* inflater) const { nghttp2_hd_inflate_del(inflater); }
  };
  std::unique_ptr<nghttp2_hd_inflater, Free> inflater_;
};

// A peer that encodes, with a table of at most `limit`.
class Deflater {
 public:
  explicit Deflater(std::uint32_t limit) {
    nghttp2_hd_deflater* made = nullptr;
    if (nghttp2_hd_deflate_new(&made, limit) != 0) throw std::bad_alloc();
    deflater_.reset(made);
  }

  void use(std::uint32_t table_bytes) { nghttp2_hd_deflate_change_table_size(deflater_.get(), table_bytes); }

  // Refers to the fields.
  class List {
   public:
    explicit List(const Fields& fields) {
      for (const auto& [name, value, never_indexed] : fields) {
        fields_.push_back({bytes(name), bytes(value), name.size(), value.size(),
                           static_cast<std::uint8_t>(never_indexed ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE)});
      }
    }

   private:
    friend class Deflater;
    std::vector<nghttp2_nv> fields_;
  };

  void encode(const List& list, std::string& block) {
    const auto& [data, count] = std::pair(list.fields_.data(), list.fields_.size());
    block.resize(nghttp2_hd_deflate_bound(deflater_.get(), data, count));
    const auto size = nghttp2_hd_deflate_hd(deflater_.get(), bytes(block), block.size(), data, count);
    if (size < 0) throw std::bad_alloc();
    block.resize(static_cast<std::size_t>(size));
  }
  std::string encode(const Fields& fields) {
    std::string block;
    encode(List(fields), block);
    return block;
  }

 private:
  static std::uint8_t* bytes(const std::string& text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  }

  struct Free {
    void operator()(nghttp2_hd_deflater* deflater) const { nghttp2_hd_deflate_del(deflater); }
  };
  std::unique_ptr<nghttp2_hd_deflater, Free> deflater_;
};

}  // namespace baton::http2::judge
