// The sink of forwarding.hpp that writes an HTTP/2 header block.
#pragma once

#include <algorithm>
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

  // A request to switch protocols is an extended CONNECT (RFC 8441 §4).
  void pseudo_fields(const RequestHead& head, std::string_view before_path, std::string_view path, bool https,
                     std::string_view authority, std::string_view upgrade) {
    using http2::PseudoField;
    http2::append_pseudo(out_, PseudoField::method, upgrade.empty() ? head.method_text : "CONNECT");
    http2::append_pseudo(out_, PseudoField::scheme, https ? "https" : "http");
    if (!authority.empty()) http2::append_pseudo(out_, PseudoField::authority, authority);
    if (before_path.empty()) {
      http2::append_pseudo(out_, PseudoField::path, path);
    } else {
      http2::append_pseudo(out_, PseudoField::path, std::string(before_path).append(path));
    }
    if (!upgrade.empty()) http2::append_field(out_, ":protocol", upgrade);
  }

  void status_line(const ResponseHead& head) { http2::append_status(out_, head.status); }

  void lines(const Field* first, const Field* last) {
    for (const Field* field = first; field != last; ++field) {
      const bool is_sensitive = sensitive.has(field->id);
      http2::append_field(out_, field->name, field->value, is_sensitive);
    }
  }

  void field(std::string_view name, std::string_view value) { http2::append_field(out_, name, value); }

  void field_from_outside(std::string_view name, std::string_view value) {
    std::string clean(value);
    std::ranges::replace_if(clean, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, '?');
    http2::append_field(out_, name, clean);
  }

 private:
  static constexpr FieldNames sensitive{FieldName::authorization, FieldName::proxy_authorization, FieldName::cookie,
                                        FieldName::set_cookie};

  state::Buffer& out_;
};

}  // namespace baton::http1
