// Boost.Beast as the judge of our own parsing: it must accept whatever we accept, and read it the same way. For tests
// and fuzz targets only.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "proxy/http1/head.hpp"
#include "proxy/http1/meaning.hpp"

namespace baton::http1::judge {

namespace beast = boost::beast;

template <bool is_request>
class Parser : public beast::http::basic_parser<is_request> {
 public:
  std::string method;
  std::string target;
  std::string reason;
  int status = 0;
  int version = 0;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string payload;
  beast::error_code error;

  // Reads all of the input: the head, or with `eager` the body too.
  explicit Parser(std::string_view raw, bool eager = false) {
    this->header_limit(UINT32_MAX);
    this->body_limit(boost::none);
    this->eager(eager);
    const std::size_t used = this->put(boost::asio::buffer(raw.data(), raw.size()), error);
    if (!error && !eager && used != raw.size()) error = beast::http::error::partial_message;
  }

 private:
  using View = beast::string_view;
  using Error = beast::error_code;

  void on_request_impl(beast::http::verb, View method_text, View target_text, int http_version, Error&) override {
    method = method_text;
    target = target_text;
    version = http_version;
  }
  void on_response_impl(int code, View reason_text, int http_version, Error&) override {
    status = code;
    reason = reason_text;
    version = http_version;
  }
  void on_field_impl(beast::http::field, View name, View value, Error&) override { fields.emplace_back(name, value); }
  void on_header_impl(Error&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Error&) override {}
  std::size_t on_body_impl(View bytes, Error&) override { return keep(bytes); }
  void on_chunk_header_impl(std::uint64_t, View, Error&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View bytes, Error&) override { return keep(bytes); }
  void on_finish_impl(Error&) override {}

  std::size_t keep(View bytes) {
    payload.append(bytes.data(), bytes.size());
    return bytes.size();
  }
};

// We read three things that Beast does not: HTTP/1.2 and above, as 1.1 (RFC 9112 §2.3); a status line without the space
// before its empty reason; blanks before the colons of a response. Beast is shown our reading of them.
inline std::string with_known_version(std::string_view raw, std::size_t version_at) {
  std::string shown{raw};
  char& minor = shown.at(version_at + 7);
  if (minor > '1') minor = '1';
  return shown;
}

inline std::string without_blanks_before_colons(const ResponseHead& head) {
  std::string shown{head.start_line};
  for (const Field& field : head.fields) shown.append(field.name).append(field.line.substr(field.line.find(':')));
  return shown + "\r\n";
}

inline std::string compare_fields(const std::vector<Field>& ours,
                                  const std::vector<std::pair<std::string, std::string>>& theirs) {
  if (ours.size() != theirs.size()) return "another number of fields";
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (ours[i].name != theirs[i].first) return "another name: " + theirs[i].first;
    if (ours[i].value != theirs[i].second) return "another value: " + theirs[i].second;
  }
  return {};
}

template <bool is_request>
std::string compare_framing(const state::BodyFraming& ours, const Parser<is_request>& theirs) {
  const auto* length = std::get_if<state::ByLength>(&ours);
  if (theirs.chunked() != std::holds_alternative<state::ByChunks>(ours)) return "another idea of chunked";
  if (length != nullptr && theirs.content_length() != length->remaining) return "another length";
  if (std::holds_alternative<state::NoBody>(ours) && theirs.content_length().value_or(0) != 0) return "a body";
  return {};
}

// What Beast reads differently; empty if it agrees, or if we refuse.
inline std::string disagreement_on_request(std::string_view raw) {
  RequestHead head;
  if (parse_request_head(raw, {}, head)) return {};
  const RequestMeaning meaning = request_meaning(head);
  if (meaning.error) return {};
  const Parser<true> beast{with_known_version(raw, head.method_text.size() + 1 + head.target.size() + 1)};
  if (beast.error) return "refused: " + beast.error.message();
  if (beast.method != head.method_text) return "another method";
  if (beast.target != head.target) return "another target";
  if (beast.version != 10 + head.minor_version) return "another version";
  if (const std::string difference = compare_fields(head.fields, beast.fields); !difference.empty()) return difference;
  return compare_framing(meaning.body, beast);
}

inline std::string disagreement_on_response(std::string_view raw) {
  ResponseHead head;
  if (parse_response_head(raw, {}, head)) return {};
  const ResponseMeaning meaning = response_meaning(head, Method::get);
  if (meaning.error) return {};
  std::string shown = with_known_version(without_blanks_before_colons(head), 0);
  if (shown[12] == '\r') shown.insert(12, 1, ' ');
  const Parser<false> beast{shown};
  if (beast.error) return "refused: " + beast.error.message();
  if (beast.status != head.status) return "another status";
  if (beast.reason != head.reason) return "another reason";
  if (beast.version != 10 + head.minor_version) return "another version";
  if (const std::string difference = compare_fields(head.fields, beast.fields); !difference.empty()) return difference;
  if (head.status < 200 || head.status == 204 || head.status == 304) return {};
  return compare_framing(meaning.body, beast);
}

// Beast is shown trailers as the fields of a response, since it reads both alike. It interprets some that we drop;
// those are left out.
inline std::string disagreement_on_trailers(std::string_view raw) {
  std::vector<Field> fields;
  if (parse_trailers(raw, {}, Sender::client, fields)) return {};
  for (const Field& field : fields) {
    if (field.id != FieldName::other) return {};
  }
  const Parser<false> beast{"HTTP/1.1 200 OK\r\n" + std::string{raw}};
  if (beast.error) return "refused: " + beast.error.message();
  return compare_fields(fields, beast.fields);
}

// The payload of a chunked body that ends without trailers, if Beast accepts it.
inline std::optional<std::string> decode_chunked(std::string_view body) {
  const Parser<false> beast{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string{body}, true};
  if (beast.error || !beast.is_done()) return {};
  return beast.payload;
}

}  // namespace baton::http1::judge
