#include "proxy/http1/forward.hpp"

#include "proxy/http1/block_writer.hpp"
#include "proxy/http1/forwarding.hpp"
#include "proxy/http1/text_writer.hpp"
#include "proxy/http2/frame_format.hpp"

namespace baton::http1 {

namespace {

// An upper bound: each line may get a blank after its colon.
std::size_t bytes_of(const std::vector<Field>& fields) {
  if (fields.empty()) return 0;
  const std::string_view last = fields.back().line;
  return static_cast<std::size_t>(last.data() + last.size() - fields.front().line.data()) + fields.size();
}

std::size_t bytes_of(const OwnField& field) {
  return field.name.size() + field.value.size() + 4;
}

// Apart from the common case, which shall stay small. `bytes`: without what the changes add.
[[gnu::noinline]] void write_changed(const RequestHead& head, const RequestMeaning& meaning, const ForwardedBy& by,
                                     std::size_t bytes, state::Buffer& out) {
  const RequestChanges& changes = *by.changes;
  bytes += changes.forwarded_host.size() + changes.target.size() + changes.host.size() + changes.edits.fields.size();
  for (const OwnField& field : changes.more) bytes += bytes_of(field);
  TextWriter writer(out, bytes);
  forward_request<Changes::some>(head, meaning, by, writer);
  writer.literal("\r\n");
  writer.finish();
}

[[gnu::noinline]] void write_changed(const ResponseHead& head, const ResponseRules& rules, std::size_t bytes,
                                     state::Buffer& out) {
  if (const ResponseChanges* const changes = rules.changes) {
    bytes += bytes_of(changes->replacing) + changes->edits.fields.size() + changes->set_cookie.size();
  }
  TextWriter writer(out, bytes);
  forward_response<Changes::some>(head, rules, writer);
  writer.literal("\r\n");
  writer.finish();
}

void append_block(const state::Buffer& block, bool ends, state::Stream& stream) {
  const auto bytes = static_cast<std::uint32_t>(block.size());
  http2::append_number(stream.heads, http2::number_of({bytes, ends}));
  stream.heads.append(block.view());
}

}  // namespace

void write_request_head(const RequestHead& head, const RequestMeaning& meaning, const ForwardedBy& by,
                        state::Buffer& out) {
  const std::size_t bytes = head.start_line.size() + bytes_of(head.fields) + by.client_address.size() +
                            by.client_subject.size() + 2 * meaning.host.size();
  if (by.changes != nullptr) [[unlikely]]
    return write_changed(head, meaning, by, bytes, out);
  TextWriter writer(out, bytes);
  forward_request<Changes::none>(head, meaning, by, writer);
  writer.literal("\r\n");
  writer.finish();
}

void write_response_head(const ResponseHead& head, const ResponseRules& rules, state::Buffer& out) {
  const std::size_t bytes = head.start_line.size() + bytes_of(head.fields);
  if (rules.changes != nullptr || rules.adds_chunks || rules.adds_no_length) [[unlikely]]
    return write_changed(head, rules, bytes, out);
  TextWriter writer(out, bytes);
  forward_response<Changes::none>(head, rules, writer);
  writer.literal("\r\n");
  writer.finish();
}

void write_response_block(const ResponseHead& head, ResponseRules rules, bool ends, state::Stream& stream) {
  rules.to_stream = true;
  rules.close = rules.announce_keep_alive = false;
  state::Buffer block;
  BlockWriter writer(block);
  forward_response<Changes::some>(head, rules, writer);
  append_block(block, ends, stream);
}

void write_request_block(const RequestHead& head, const RequestMeaning& meaning, ForwardedBy by, bool ends,
                         state::Stream& stream) {
  by.to_stream = true;
  state::Buffer block;
  BlockWriter writer(block);
  forward_request<Changes::some>(head, meaning, by, writer);
  append_block(block, ends, stream);
}

void write_trailers_block(const std::vector<Field>& fields, bool underscores, state::Stream& stream,
                          std::string_view removed) {
  FieldRules rules = trailer_rules(underscores);
  const Edits edits{.removed = removed, .fields = {}};
  if (!removed.empty()) rules.edits = &edits;
  state::Buffer block;
  BlockWriter writer(block);
  forward_fields(fields, rules, writer);
  if (!block.empty()) stream.trailers_out = std::move(block);
}

void write_trailers(const std::vector<Field>& fields, bool underscores, state::Buffer& out, std::string_view removed) {
  TextWriter writer(out, bytes_of(fields));
  FieldRules rules = trailer_rules(underscores);
  const Edits edits{.removed = removed, .fields = {}};
  if (!removed.empty()) rules.edits = &edits;
  forward_fields(fields, rules, writer);
  writer.literal("\r\n");
  writer.finish();
}

}  // namespace baton::http1
