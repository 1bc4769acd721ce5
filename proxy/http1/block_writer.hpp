// The sink of forwarding.hpp that writes an HTTP/2 header block.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/http1/head.hpp"
#include "proxy/http2/hpack_encoder.hpp"
#include "proxy/state/buffer.hpp"

namespace baton::http1 {

class BlockWriter {
 public:
  explicit BlockWriter(state::Buffer& out) : out_(out) {}

  void status_line(const ResponseHead& head) { http2::append_status(out_, head.status); }

  void lines(const Field* first, const Field* last) {
    for (const Field* field = first; field != last; ++field) {
      const bool is_sensitive = sensitive.has(field->id);
      http2::append_field(out_, field->name, field->value, is_sensitive);
    }
  }

  void field(std::string_view name, std::string_view value) { http2::append_field(out_, name, value); }

 private:
  static constexpr FieldNames sensitive{FieldName::authorization, FieldName::proxy_authorization, FieldName::cookie,
                                        FieldName::set_cookie};

  state::Buffer& out_;
};

}  // namespace baton::http1
