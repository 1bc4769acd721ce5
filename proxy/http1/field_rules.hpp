// Whether a field is forwarded unchanged, dropped or rewritten: a pure function of the field and its message's rules,
// independent of how the message is written on the other side.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "proxy/http1/forward.hpp"
#include "proxy/http1/head.hpp"
#include "proxy/http1/meaning.hpp"

namespace baton::http1 {

struct FieldRules {
  FieldNames dropped;
  FieldNames canonical{};  // written in canonical form; `dropped` takes precedence
  FieldNames once{};       // dropped after the first one forwarded
  // The message's fields, if Connection names some that must not be forwarded (RFC 9110 §7.6.1).
  const std::vector<Field>* named_by = nullptr;
  std::string_view replaced{};   // dropped too; empty: none
  const Edits* edits = nullptr;  // of the route

  // A field with any other name is forwarded unchanged, unless it has a blank before its colon.
  FieldNames concerned() const {
    const bool may_be_any = named_by != nullptr || !replaced.empty() || edits != nullptr;
    return may_be_any ? FieldNames::all() : dropped | canonical;
  }
};

// `host` is dropped if we write our own, `upgrade` if no upgrade is forwarded.
FieldRules request_rules(const RequestHead& head, const TargetParts& target, const RequestMeaning& meaning,
                         const ForwardedBy& by);
FieldRules response_rules(const ResponseHead& head, const ResponseRules& how);
FieldRules trailer_rules(bool underscores);

enum class Fate : std::uint8_t { as_it_came, dropped, anew };
struct Decision {
  Fate fate;
  std::string_view value{};  // of a rewritten field, after its own name
};
Decision decide(const Field& field, const FieldRules& rules);

// ── Inlined, since it runs for every message ──────────────────────────────────────────────────────────────────────

// Hop-by-hop fields (RFC 9110 §7.6.1).
inline constexpr FieldNames of_one_hop{FieldName::connection, FieldName::keep_alive, FieldName::proxy_connection,
                                       FieldName::te,         FieldName::upgrade,    FieldName::http2_settings};
// Fields that frame or route a message, or make a request. Their canonical form removes blanks and case that our
// neighbours might read differently.
inline constexpr FieldNames canonical_in_response{FieldName::content_length, FieldName::transfer_encoding,
                                                  FieldName::upgrade};
inline constexpr FieldNames canonical_in_request =
    canonical_in_response | FieldNames{FieldName::host, FieldName::expect};

// Whether Connection names other fields.
bool names_fields(const std::vector<Field>& fields);
// Whether an Upgrade field names a protocol.
bool names_upgrade(const std::vector<Field>& fields);
// For fields that are neither dropped nor canonical.
Decision decide_on_other(const Field& field, const FieldRules& rules);
// The value of a canonical field other than Host and Content-Length.
std::string_view canonical_list(const Field& field);

// The canonical value of a field in a message that was found valid: its own value if that is already canonical. Empty:
// the field asks for nothing.
inline std::string_view canonical_value(const Field& field) {
  if (field.id == FieldName::host) return field.value;
  if (field.id != FieldName::content_length) return canonical_list(field);
  // Leading zeros make a number octal for some recipients.
  std::string_view digits = field.value;
  while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
  return digits;
}

inline FieldRules request_rules(const RequestHead& head, const TargetParts& target, const RequestMeaning& meaning,
                                const ForwardedBy& by) {
  using enum FieldName;
  FieldRules rules{
      .dropped = of_one_hop | FieldNames{client_identity}, .canonical = canonical_in_request, .once = {expect}};
  if (!by.underscores) rules.dropped.add(with_underscore);
  if (!target.authority.empty() || !head.names.has(host)) rules.dropped.add(host);
  if (head.minor_version == 0) rules.dropped.add(expect);
  if (by.to_stream) {
    rules.dropped = rules.dropped | FieldNames{host, transfer_encoding};
    if (!meaning.upgrade.empty()) rules.dropped.add(sec_websocket_key);
  } else if (!meaning.upgrade.empty()) {
    rules.dropped.remove(upgrade);
  }
  if (by.changes != nullptr) {
    rules.replaced = by.changes->replaced;
    rules.edits = &by.changes->edits;
    if (!by.changes->host.empty()) rules.dropped.add(host);
  }
  if (head.names.has(connection) && names_fields(head.fields)) rules.named_by = &head.fields;
  return rules;
}

inline FieldRules response_rules(const ResponseHead& head, const ResponseRules& how) {
  using enum FieldName;
  FieldRules rules{.dropped = of_one_hop, .canonical = canonical_in_response};
  if (how.changes != nullptr) {
    rules.replaced = how.changes->replacing.name;
    rules.edits = &how.changes->edits;
  }
  if (how.client_http10) rules.dropped = rules.dropped | FieldNames{transfer_encoding, trailer};
  if (how.to_stream) rules.dropped.add(transfer_encoding);
  if (head.status < 200 || head.status == 204) {
    rules.dropped = rules.dropped | FieldNames{content_length, transfer_encoding};
  }
  // A 426 must say which protocol to upgrade to (RFC 9110 §15.5.22).
  const bool keeps_upgrade = how.switching_protocols || (head.status == 426 && names_upgrade(head.fields));
  if (keeps_upgrade && !how.to_stream) rules.dropped.remove(upgrade);
  if (head.names.has(connection) && names_fields(head.fields)) rules.named_by = &head.fields;
  return rules;
}

inline Decision decide(const Field& field, const FieldRules& rules) {
  if (rules.dropped.has(field.id)) return {Fate::dropped};
  if (!rules.canonical.has(field.id)) return decide_on_other(field, rules);
  const std::string_view value = canonical_value(field);
  if (value.empty() && field.id != FieldName::host) return {Fate::dropped};
  const char* const name_end = field.name.data() + field.name.size();
  const char* const line_end = field.line.data() + field.line.size();
  const bool is_so_already =
      value.data() == name_end + 2 && name_end[1] == ' ' && value.data() + value.size() + 2 == line_end;
  return {is_so_already ? Fate::as_it_came : Fate::anew, value};
}

}  // namespace baton::http1
