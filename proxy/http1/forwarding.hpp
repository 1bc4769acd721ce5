// The single walk over a head or trailer section that is forwarded. It decides on each field by field_rules.hpp and
// feeds a sink, in message order. A sink is a class with
//
//   // The target is `before_path` and `path`; the former is empty, or what the path of an absolute-form target lacks.
//   void request_line(const RequestHead& head, std::string_view before_path, std::string_view path);
//   // The same for HTTP/2 instead, whose Host is the authority. `upgrade`: the protocol to switch to, or empty.
//   void pseudo_fields(const RequestHead& head, std::string_view before_path, std::string_view path, bool https,
//                      std::string_view authority, std::string_view upgrade);
//   void status_line(const ResponseHead& head);
//   // At least one field; they are adjacent and are forwarded unchanged.
//   void lines(const Field* first, const Field* last);
//   void field(std::string_view name, std::string_view value);
//   // No tokeniser has checked the value: each control character in it becomes a question mark.
//   void field_from_outside(std::string_view name, std::string_view value);
//
// Everything is inlined into the function that writes one kind of message into one kind of sink. The sink's members
// then stay in registers, which saves a fifth of the instructions.
#pragma once

#include <string_view>
#include <vector>

#include "proxy/http1/field_rules.hpp"
#include "proxy/http1/forward.hpp"
#include "proxy/http1/head.hpp"
#include "proxy/http1/http_date.hpp"
#include "proxy/http1/meaning.hpp"

namespace baton::http1 {

template <typename Sink>
[[gnu::always_inline]] inline void forward_fields(const std::vector<Field>& fields, FieldRules rules, Sink& sink) {
  const FieldNames concerned = rules.concerned();
  const Field* run = fields.data();
  const Field* const end = run + fields.size();
  for (const Field* field = run; field != end; ++field) {
    if (!concerned.has(field->id) && !field->blank_before_colon) continue;
    const Decision decision = decide(*field, rules);
    if (decision.fate != Fate::dropped && rules.once.has(field->id)) rules.dropped.add(field->id);
    if (decision.fate == Fate::as_it_came) continue;
    if (run != field) sink.lines(run, field);
    run = field + 1;
    if (decision.fate == Fate::anew) sink.field(field->name, decision.value);
  }
  if (run != end) sink.lines(run, end);
}

// Whether the message may have changes, and code for them.
enum class Changes { none, some };

template <Changes may_have, typename Sink>
[[gnu::always_inline]] inline void forward_request(const RequestHead& head, const RequestMeaning& meaning,
                                                   const ForwardedBy& by, Sink& sink) {
  const TargetParts target = split_target(head.target);
  const FieldRules rules = request_rules(head, target, meaning, by);
  std::string_view before_path;
  if (!target.authority.empty() && !target.path.starts_with('/')) {
    before_path = head.method == Method::options && target.path.empty() ? "*" : "/";
  }
  const auto change = [&](auto member) {
    return may_have == Changes::some && by.changes != nullptr ? by.changes->*member : std::string_view();
  };
  const std::string_view new_target = change(&RequestChanges::target);
  const std::string_view new_host = change(&RequestChanges::host);
  constexpr bool is_block = requires { &Sink::pseudo_fields; };
  if constexpr (is_block) {
    const bool is_new = !new_target.empty();
    sink.pseudo_fields(head, is_new ? "" : before_path, is_new ? new_target : target.path, by.https,
                       new_host.empty() ? meaning.host : new_host, meaning.upgrade);
  } else {
    if (!new_target.empty()) {
      sink.request_line(head, "", new_target);
    } else {
      sink.request_line(head, before_path, target.path);
    }
    if (!new_host.empty()) {
      sink.field("Host", new_host);
    } else if (rules.dropped.has(FieldName::host)) {
      sink.field("Host", meaning.host);
    }
  }
  forward_fields(head.fields, rules, sink);
  if (meaning.takes_trailers) sink.field("TE", "trailers");
  const RequestChanges* const changes = may_have == Changes::some ? by.changes : nullptr;
  if constexpr (!is_block) {
    if (meaning.takes_trailers && !meaning.upgrade.empty()) {
      sink.field("Connection", "TE, upgrade");
    } else if (meaning.takes_trailers) {
      sink.field("Connection", "TE");
    } else if (!meaning.upgrade.empty()) {
      sink.field("Connection", "upgrade");
    }
    if (changes != nullptr && changes->adds_chunks) sink.field("Transfer-Encoding", "chunked");
  }
  const auto is_kept = [changes](std::string_view name) { return changes == nullptr || !changes->edits.drops(name); };
  if (changes == nullptr || changes->x_forwarded) {
    if (is_kept("X-Forwarded-For")) sink.field_from_outside("X-Forwarded-For", by.client_address);
    if (is_kept("X-Forwarded-Proto")) {
      if (by.https) {
        sink.field("X-Forwarded-Proto", "https");
      } else {
        sink.field("X-Forwarded-Proto", "http");
      }
    }
    const std::string_view forwarded_host = change(&RequestChanges::forwarded_host);
    const std::string_view asked_for = forwarded_host.empty() ? meaning.host : forwarded_host;
    if (!asked_for.empty() && is_kept("X-Forwarded-Host")) sink.field("X-Forwarded-Host", asked_for);
  }
  if (!by.client_subject.empty() && is_kept("X-Forwarded-Client-Subject")) {
    sink.field_from_outside("X-Forwarded-Client-Subject", by.client_subject);
  }
  if (changes == nullptr) return;
  for (const OwnField& field : changes->more) {
    if (is_kept(field.name)) sink.field(field.name, field.value);
  }
  changes->edits.each_field([&](std::string_view name, std::string_view value) { sink.field(name, value); });
}

// The value of the Connection field we send to the client; empty: none.
inline std::string_view connection_value(bool upgrade, const ResponseRules& how) {
  if (how.close) return upgrade ? "upgrade, close" : "close";
  if (how.announce_keep_alive) return upgrade ? "upgrade, keep-alive" : "keep-alive";
  return upgrade ? "upgrade" : "";
}

template <Changes may_have, typename Sink>
[[gnu::always_inline]] inline void forward_response(const ResponseHead& head, const ResponseRules& how, Sink& sink) {
  const FieldRules rules = response_rules(head, how);
  sink.status_line(head);
  forward_fields(head.fields, rules, sink);
  const bool edits_date = may_have == Changes::some && how.changes != nullptr && how.changes->edits.drops("Date");
  const bool lacks_date = head.status >= 200 && !head.names.has(FieldName::date) && !edits_date;
  if (lacks_date && how.unix_time_s != 0) sink.field("Date", http_date(how.unix_time_s));
  const std::string_view connection = connection_value(!rules.dropped.has(FieldName::upgrade), how);
  if (!connection.empty()) sink.field("Connection", connection);
  if (may_have == Changes::none) return;
  if (how.adds_chunks) sink.field("Transfer-Encoding", "chunked");
  if (how.adds_no_length) sink.field("Content-Length", "0");
  if (how.changes == nullptr) return;
  const auto& [replacing, edits, set_cookie] = *how.changes;
  if (!replacing.name.empty() && !edits.drops(replacing.name)) sink.field(replacing.name, replacing.value);
  edits.each_field([&](std::string_view name, std::string_view value) { sink.field(name, value); });
  if (!set_cookie.empty()) sink.field("Set-Cookie", set_cookie);
}

}  // namespace baton::http1
