#include "proxy/http1/field_rules.hpp"

#include <algorithm>

#include "proxy/http1/grammar.hpp"

namespace baton::http1 {

namespace {

constexpr FieldNames never_removed_by_name = [] {
  using enum FieldName;
  return FieldNames{host, content_length, transfer_encoding, upgrade, expect, date};
}();
constexpr FieldNames harmless_in_trailers = [] {
  using enum FieldName;
  return FieldNames{other, date, server, user_agent, referer, via};
}();

// Few heads name fields in Connection, so their options are simply read again for each field.
bool named_by_connection(const std::vector<Field>& fields, std::string_view name) {
  for (const Field& field : fields) {
    if (field.id != FieldName::connection) continue;
    std::string_view options = field.value;
    std::string_view option;
    while (next_token(options, option)) {
      if (equals_ignoring_case(option, name)) return true;
    }
  }
  return false;
}

// Whether some servers take the one name for the other (see FieldName). `wanted` has letters, digits and hyphens.
bool is_read_as(std::string_view name, std::string_view wanted) {
  const auto folded = [](char c) { return is_plain_char(c) ? static_cast<char>(c | 0x20) : '-'; };
  return std::ranges::equal(name, wanted, {}, folded, folded);
}

}  // namespace

FieldRules trailer_rules(bool underscores) {
  FieldRules rules{.dropped = FieldNames::all() - harmless_in_trailers};
  if (underscores) rules.dropped.remove(FieldName::with_underscore);
  return rules;
}

bool names_fields(const std::vector<Field>& fields) {
  ConnectionOptions options;
  for (const Field& field : fields) {
    if (field.id == FieldName::connection) add_connection_options(field.value, options);
  }
  return options.names_fields;
}

bool names_upgrade(const std::vector<Field>& fields) {
  return std::ranges::any_of(
      fields, [](const Field& field) { return field.id == FieldName::upgrade && !canonical_value(field).empty(); });
}

std::string_view canonical_list(const Field& field) {
  const auto own_or = [&field](std::string_view value) { return field.value == value ? field.value : value; };
  std::string_view list = field.value;
  std::string_view element;
  switch (field.id) {
    case FieldName::transfer_encoding:
      return equals_ignoring_case(field.value, "chunked") ? own_or("chunked") : field.value;
    case FieldName::expect:
      return next_element(list, element) ? own_or("100-continue") : "";
    case FieldName::upgrade:
      if (!next_element(list, element)) return "";
      if (std::string_view more; next_element(list, more)) return field.value;
      return is_token<"websocket">(element) ? own_or("websocket") : element;
    default:
      return field.value;
  }
}

Decision decide_on_other(const Field& field, const FieldRules& rules) {
  if (!rules.replaced.empty() && is_read_as(field.name, rules.replaced)) return {Fate::dropped};
  if (rules.named_by != nullptr && !never_removed_by_name.has(field.id) &&
      named_by_connection(*rules.named_by, field.name)) {
    return {Fate::dropped};
  }
  if (rules.edits != nullptr && rules.edits->drops(field.name)) return {Fate::dropped};
  if (field.blank_before_colon) return {Fate::anew, field.value};
  return {Fate::as_it_came};
}

}  // namespace baton::http1
