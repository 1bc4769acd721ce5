#include "proxy/http1/forward.hpp"

#include "proxy/http1/forwarding.hpp"
#include "proxy/http1/text_writer.hpp"

namespace baton::http1 {

namespace {

// An upper bound: each line may get a blank after its colon.
std::size_t bytes_of(const std::vector<Field>& fields) {
  if (fields.empty()) return 0;
  const std::string_view last = fields.back().line;
  return static_cast<std::size_t>(last.data() + last.size() - fields.front().line.data()) + fields.size();
}

std::size_t bytes_of(const OwnField& field) { return field.name.size() + field.value.size() + 4; }

}  // namespace

void write_request_head(const RequestHead& head, const RequestMeaning& meaning, const ForwardedBy& by,
                        state::Buffer& out) {
  std::size_t bytes = head.start_line.size() + bytes_of(head.fields) + by.client_address.size() +
                      by.client_subject.size() + 2 * meaning.host.size() + by.host.size();
  for (const OwnField& field : by.more) bytes += bytes_of(field);
  if (by.rewrite != nullptr) {
    bytes += by.rewrite->target.size() + by.rewrite->host.size() + by.rewrite->edits.fields.size();
  }
  TextWriter writer(out, bytes);
  forward_request(head, meaning, by, writer);
  writer.literal("\r\n");
  writer.finish();
}

void write_response_head(const ResponseHead& head, const ResponseRules& rules, state::Buffer& out) {
  const std::size_t edited = rules.edits != nullptr ? rules.edits->fields.size() : 0;
  TextWriter writer(out, head.start_line.size() + bytes_of(head.fields) + bytes_of(rules.replacing) + edited +
                             rules.set_cookie.size());
  forward_response(head, rules, writer);
  writer.literal("\r\n");
  writer.finish();
}

void write_trailers(const std::vector<Field>& fields, bool underscores, state::Buffer& out) {
  TextWriter writer(out, bytes_of(fields));
  forward_fields(fields, trailer_rules(underscores), writer);
  writer.literal("\r\n");
  writer.finish();
}

}  // namespace baton::http1
