// Boost.Beast accepts every head that our tokeniser accepts, with the same fields; and our own output parses again.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/http1/forward.hpp"
#include "proxy/http1/head.hpp"
#include "proxy/http1/judge.hpp"
#include "proxy/http1/meaning.hpp"
#include "proxy/state/buffer.hpp"

namespace {

using namespace baton::http1;

void require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}

// Fields that frame or route are forwarded in one form only; Host routes requests.
void check_canonical(const std::vector<Field>& fields, bool is_request) {
  for (const Field& field : fields) {
    const bool framing = field.id == FieldName::content_length || field.id == FieldName::transfer_encoding;
    if (!framing && !(is_request && field.id == FieldName::host)) continue;
    require(field.line == std::string{field.name} + ": " + std::string{field.value} + "\r\n", "stray blanks go on");
    require(!framing || field.value == "chunked" || field.value == "0" || field.value.front() != '0', "zeros go on");
  }
}

void check_written_request(std::string_view raw) {
  RequestHead head;
  if (parse_request_head(raw, {}, head)) return;
  const RequestMeaning meaning = request_meaning(head);
  if (meaning.error) return;
  baton::state::Buffer written;
  write_request_head(head, meaning, {.client_address = "192.0.2.1"}, written);

  RequestHead again;
  require(!parse_request_head(written.view(), {}, again), "the written request is refused");
  const RequestMeaning meaning_again = request_meaning(again);
  require(!meaning_again.error, "the written request is refused: " + std::string{meaning_again.error.text});
  require(again.method_text == head.method_text && meaning_again.host == meaning.host, "another method or host");
  require(meaning_again.body == meaning.body, "another request body");
  require(equals_ignoring_case(meaning_again.upgrade, meaning.upgrade), "another upgrade");
  require(meaning_again.takes_trailers == meaning.takes_trailers, "another TE");
  check_canonical(again.fields, true);
  require(meaning_again.keep_alive && again.minor_version == 1, "the upstream connection would not be kept");
  require(judge::disagreement_on_request(written.view()).empty(), "Beast disagrees on the written request");
}

void check_written_response(std::string_view raw) {
  ResponseHead head;
  if (parse_response_head(raw, {}, head)) return;
  const ResponseMeaning meaning = response_meaning(head, Method::get);
  if (meaning.error) return;
  baton::state::Buffer written;
  write_response_head(head, {}, written);

  ResponseHead again;
  require(!parse_response_head(written.view(), {}, again), "the written response is refused");
  const ResponseMeaning meaning_again = response_meaning(again, Method::get);
  require(!meaning_again.error && again.status == head.status, "the written response means something else");
  require(meaning_again.body == meaning.body, "another response body");
  check_canonical(again.fields, false);
  require(judge::disagreement_on_response(written.view()).empty(), "Beast disagrees on the written response");
}

void check_written_trailers(std::string_view raw) {
  std::vector<Field> fields;
  if (parse_trailers(raw, {}, Sender::server, fields)) return;
  baton::state::Buffer written;
  write_trailers(fields, true, written);
  // What is forwarded meets the rules for any sender.
  require(!parse_trailers(written.view(), {}, Sender::client, fields), "the written trailers are refused");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view raw{reinterpret_cast<const char*>(data), size};
  for (const std::string& difference : {judge::disagreement_on_request(raw), judge::disagreement_on_response(raw),
                                        judge::disagreement_on_trailers(raw)}) {
    require(difference.empty(), difference);
  }
  check_written_request(raw);
  check_written_response(raw);
  check_written_trailers(raw);
  return 0;
}
