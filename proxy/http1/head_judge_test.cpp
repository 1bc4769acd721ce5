#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http1/body.hpp"
#include "proxy/http1/judge.hpp"

namespace baton::http1 {
namespace {

// The name of a corpus file says what it is and the expected result: request_400_two_hosts.
struct Example {
  std::string kind;          // request, response or trailers
  std::uint16_t status = 0;  // 0 for `ok`
  std::string name;
  std::string raw;
};

std::string contents(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::vector<Example> corpus() {
  std::vector<Example> examples;
  for (const auto& entry : std::filesystem::directory_iterator{std::filesystem::path{BATON_HTTP1_CORPUS} / "head"}) {
    const std::string name = entry.path().filename();
    const std::size_t kind_bytes = name.find('_');
    const std::string outcome = name.substr(kind_bytes + 1, name.find('_', kind_bytes + 1) - kind_bytes - 1);
    const auto status = outcome == "ok" ? 0 : std::stoi(outcome);
    examples.push_back({name.substr(0, kind_bytes), static_cast<std::uint16_t>(status), name, contents(entry.path())});
  }
  return examples;
}

std::uint16_t our_status(const Example& example) {
  if (example.kind == "request") {
    RequestHead head;
    if (const HeadError error = parse_request_head(example.raw, {}, head)) return error.status;
    return request_meaning(head).error.status;
  }
  if (example.kind == "response") {
    ResponseHead head;
    if (const HeadError error = parse_response_head(example.raw, {}, head)) return error.status;
    return response_meaning(head, Method::get).error.status;
  }
  std::vector<Field> fields;
  return parse_trailers(example.raw, {}, Sender::client, fields).status;
}

std::string disagreement(const std::string& kind, std::string_view raw) {
  if (kind == "request") return judge::disagreement_on_request(raw);
  if (kind == "response") return judge::disagreement_on_response(raw);
  return judge::disagreement_on_trailers(raw);
}

TEST(Judge, EveryHeadOfTheCorpusComesOutAsItsNameSays) {
  const std::vector<Example> examples = corpus();
  EXPECT_GT(examples.size(), 80U);
  for (const Example& example : examples) EXPECT_EQ(our_status(example), example.status) << example.name;
}

TEST(Judge, BeastAgreesOnEveryHeadOfTheCorpus) {
  for (const Example& example : corpus()) EXPECT_EQ(disagreement(example.kind, example.raw), "") << example.name;
}

// Each byte of each head is replaced, removed, and preceded by each byte that has a meaning anywhere.
TEST(Judge, BeastAgreesOnEveryHeadWithOneByteChanged) {
  constexpr std::string_view meaningful{"\0\x01\t\n\v\r !\"#*,-./0:;=@A[\\_a{\x7f\x80\xff", 29};
  for (const Example& example : corpus()) {
    for (std::size_t at = 0; at < example.raw.size(); ++at) {
      std::string changed = example.raw;
      changed.erase(at, 1);
      ASSERT_EQ(disagreement(example.kind, changed), "") << changed;
      for (const char c : meaningful) {
        changed = example.raw;
        changed[at] = c;
        ASSERT_EQ(disagreement(example.kind, changed), "") << changed;
        changed = example.raw;
        changed.insert(at, 1, c);
        ASSERT_EQ(disagreement(example.kind, changed), "") << changed;
      }
    }
  }
}

TEST(Judge, SeesWhatOneWhoReadsOtherwiseWouldDo) {
  const std::string raw = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
  const judge::Parser<true> beast{raw};
  RequestHead head;
  ASSERT_FALSE(parse_request_head(raw, {}, head));
  EXPECT_EQ(judge::compare_fields(head.fields, beast.fields), "");
  EXPECT_EQ(judge::compare_framing(request_meaning(head).body, beast), "");
  EXPECT_NE(judge::compare_framing(state::ByLength{6}, beast), "");
  EXPECT_NE(judge::compare_framing(state::ByChunks{}, beast), "");
  EXPECT_NE(judge::compare_framing(state::NoBody{}, beast), "");
  head.fields[0].value = "b";
  EXPECT_NE(judge::compare_fields(head.fields, beast.fields), "");
  EXPECT_TRUE(judge::Parser<true>{"GET / HTTP/1.1\r\nHost : a\r\n\r\n"}.error);
}

TEST(Judge, BeastDecodesTheSamePayload) {
  for (const auto& entry : std::filesystem::directory_iterator{std::filesystem::path{BATON_HTTP1_CORPUS} / "body"}) {
    const std::string body = contents(entry.path()).substr(1);  // the first byte is for the fuzz target
    state::BodyFraming framing = state::ByChunks{};
    std::string payload;
    std::string passed_on;
    std::size_t bytes = 0;
    BodyPiece piece;
    do {
      piece = consume_body(framing, std::string_view{body}.substr(bytes), Sender::server);
      if (piece.payload) payload += body.substr(bytes, piece.bytes);
      if (!piece.dropped) passed_on += body.substr(bytes, piece.bytes);
      bytes += piece.bytes;
    } while (piece.status == BodyStatus::more && piece.bytes != 0);
    const bool beast_knows_its_extensions = body.find(";;") == body.npos && body.find("=\"a\r") == body.npos;
    if (piece.status != BodyStatus::trailers || !beast_knows_its_extensions) continue;
    EXPECT_EQ(judge::decode_chunked(passed_on + "\r\n"), payload) << entry.path();
  }
}

}  // namespace
}  // namespace baton::http1
