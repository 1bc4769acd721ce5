// What a route changes in a message's fields, in the form that the walk over them uses.
#pragma once

#include <span>
#include <string_view>

#include "proxy/http1/head.hpp"

namespace baton::http1 {

struct Edits {
  std::string_view removed;  // names, each followed by a line feed
  std::string_view fields;   // lines to be added: name, colon, blank, value, CRLF

  bool drops(std::string_view name) const {
    for (std::string_view rest = removed; !rest.empty();) {
      const std::size_t end = rest.find('\n');
      if (equals_ignoring_case(rest.substr(0, end), name)) return true;
      rest.remove_prefix(end + 1);
    }
    return false;
  }

  // Calls `write(name, value)` for each line.
  template <class Write>
  void each_field(Write write) const {
    for (std::string_view rest = fields; !rest.empty();) {
      const std::size_t colon = rest.find(':');
      const std::size_t end = rest.find("\r\n");
      write(rest.substr(0, colon), rest.substr(colon + 2, end - colon - 2));
      rest.remove_prefix(end + 2);
    }
  }
};

// A field that we write ourselves. Its value has no control characters.
struct OwnField {
  std::string_view name;
  std::string_view value;
};

// What few configurations ask for in a request. The route's edits hold for the fields that we write, too.
struct RequestChanges {
  bool x_forwarded = true;            // write X-Forwarded-For, -Proto and -Host
  std::string_view forwarded_host{};  // for X-Forwarded-Host; empty: that of the request
  std::span<const OwnField> more{};
  std::string_view replaced{};  // a field with this name is dropped; empty: none
  std::string_view target{};    // empty: as it came
  std::string_view host{};      // empty: as it came
  Edits edits{};
  bool adds_chunks = false;     // the body, which came without a length, goes on in chunks
};

// The same in a response.
struct ResponseChanges {
  OwnField replacing{};  // instead of a field with this name; no name: none
  Edits edits{};
  std::string_view set_cookie{};  // one more Set-Cookie; empty: none
};

}  // namespace baton::http1
