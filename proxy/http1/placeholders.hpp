// The values of placeholders (config::Template) for one request.
#pragma once

#include <string>
#include <string_view>

#include "config/template.hpp"
#include "proxy/http1/exchange.hpp"

namespace baton::http1 {

class Placeholders {
 public:
  // All outlive this object. `context.scratch` holds the request's head.
  Placeholders(const state::Exchange& exchange, const Context& context);

  // Appends the text with its values. A control character in a value becomes a question mark, so that it cannot end a
  // field.
  void expand(const config::Template& text, std::string& out) const;
  // Appends the value of one placeholder as it is.
  void append(const config::Template::Part& part, std::string& out) const;

  // The request's path, in origin-form and without its query, and the query with its question mark.
  std::string_view path() const { return path_; }
  std::string_view query() const { return query_; }

 private:
  // The client's own request, as far as trusted proxies tell.
  bool is_https() const;
  void append_field(std::string_view name, std::string& out) const;

  const state::Exchange& exchange_;
  const Context& context_;
  std::string_view path_;
  std::string_view query_;
};

}  // namespace baton::http1
