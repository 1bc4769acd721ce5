// A rewritten head does not depend on the sink: the same walk writes a list of names and values, and text that is
// parsed again.
#include "proxy/http1/forwarding.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/state/buffer.hpp"

namespace baton::http1 {
namespace {

using Pair = std::pair<std::string, std::string>;

class ListSink {
 public:
  std::string start;
  std::vector<Pair> pairs;
  std::size_t runs = 0;

  void request_line(const RequestHead& head, std::string_view before_path, std::string_view path) {
    start.append(head.method_text).append(" ").append(before_path).append(path);
  }
  void status_line(const ResponseHead& head) {
    start.append(std::to_string(head.status)).append(" ").append(head.reason);
  }
  void lines(const Field* first, const Field* last) {
    ASSERT_LT(first, last);
    ++runs;
    for (; first != last; ++first) field(first->name, first->value);
  }
  void field(std::string_view name, std::string_view value) { pairs.emplace_back(name, value); }
  void field_from_outside(std::string_view name, std::string_view value) {
    std::string printable(value);
    for (char& c : printable) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    }
    // The value is not validated further, so a reader does not see the blanks around it.
    const std::size_t first = std::min(printable.find_first_not_of(' '), printable.size());
    field(name, std::string_view{printable}.substr(first, printable.find_last_not_of(' ') + 1 - first));
  }
};

std::vector<Pair> pairs_of(const std::vector<Field>& fields) {
  std::vector<Pair> pairs;
  for (const Field& field : fields) pairs.emplace_back(field.name, field.value);
  return pairs;
}

class RandomHeads : public testing::Test {
 protected:
  std::size_t below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_); }
  bool one_in(std::size_t n) { return below(n) == 0; }
  template <std::size_t size>
  std::string any_of(const char* const (&texts)[size]) {
    return texts[below(size)];
  }

  // Lines of fields; a server may put blanks before a colon.
  std::string lines(Sender from) {
    static constexpr const char* fields[][2] = {{"A", "1"},
                                                {"X-Hop", "2"},
                                                {"x-hop", ""},
                                                {"Accept", "*/*"},
                                                {"Set-Cookie", "a=b; c"},
                                                {"Via", "1.1 x"},
                                                {"Date", "now"},
                                                {"Connection", "close"},
                                                {"Connection", "keep-alive"},
                                                {"connection", "x-hop, date, host"},
                                                {"Connection", "upgrade"},
                                                {"Connection", ",TE"},
                                                {"Keep-Alive", "timeout=5"},
                                                {"Proxy-Connection", "close"},
                                                {"TE", "trailers"},
                                                {"TE", "gzip"},
                                                {"Upgrade", "websocket"},
                                                {"Upgrade", ", WebSocket ,"},
                                                {"Upgrade", "h2c"},
                                                {"Upgrade", ","},
                                                {"HTTP2-Settings", "AA"},
                                                {"Content-Length", "5"},
                                                {"content-length", "005"},
                                                {"Transfer-Encoding", "Chunked"},
                                                {"Trailer", "X"},
                                                {"Expect", "100-continue"},
                                                {"Expect", ",100-CONTINUE"},
                                                {"Expect", ""},
                                                {"X-Forwarded-For", "6.6.6.6"},
                                                {"X_Real_IP", "6"},
                                                {"Forwarded", "for=6"},
                                                {"A_B", "3"},
                                                {"Content_Length", "4"},
                                                {"Host", "a"},
                                                {"Authorization", "x"},
                                                {"User-Agent", "y"}};
    static constexpr const char* blanks[] = {"", " ", " ", " ", "\t", "  "};
    std::string text;
    for (std::size_t left = below(9); left != 0; --left) {
      const auto& [name, value] = fields[below(std::size(fields))];
      text.append(name);
      if (from == Sender::server && one_in(6)) text.append(any_of(blanks));
      text.append(":").append(any_of(blanks)).append(value);
      if (one_in(4)) text.append(any_of(blanks));
      text.append("\r\n");
    }
    return text;
  }

  std::mt19937 random_{20260727};
};

TEST_F(RandomHeads, OfRequestsAreTheSameInEverySink) {
  static constexpr const char* starts[] = {
      "GET / HTTP/1.1",           "POST /a?b HTTP/1.1",         "GET /c HTTP/1.0",
      "GET /d HTTP/1.9",          "GET http://t:81/p HTTP/1.1", "OPTIONS http://t HTTP/1.1",
      "GET https://t?q HTTP/1.1", "OPTIONS * HTTP/1.1"};
  static constexpr const char* hosts[] = {"Host: a\r\n", "Host:a:80 \r\n", "host: \t\r\n", "Host: b\r\n", ""};
  static constexpr const char* outside[] = {"", "192.0.2.1", "unknown", "CN=a\r\nX-Admin: 1", "CN=b c\x7f", " d "};
  std::size_t good = 0;
  std::size_t rewritten = 0;
  for (int round = 0; round < 20'000; ++round) {
    const std::string raw = any_of(starts) + "\r\n" + any_of(hosts) + lines(Sender::client) + "\r\n";
    RequestHead head;
    ASSERT_FALSE(parse_request_head(raw, {}, head)) << raw;
    const RequestMeaning meaning = request_meaning(head);
    if (meaning.error) continue;
    ++good;
    const std::string address = any_of(outside);
    const std::string subject = any_of(outside);
    const ForwardedBy by{address, one_in(2), subject, one_in(2)};

    ListSink list;
    forward_request<Changes::some>(head, meaning, by, list);
    state::Buffer text;
    write_request_head(head, meaning, by, text);
    RequestHead again;
    ASSERT_FALSE(parse_request_head(text.view(), {}, again)) << raw << text.view();
    ASSERT_EQ(std::string{again.method_text} + " " + std::string{again.target}, list.start) << raw;
    ASSERT_EQ(pairs_of(again.fields), list.pairs) << raw << text.view();
    if (list.runs > 1) ++rewritten;
  }
  EXPECT_GT(good, 3'000u);
  EXPECT_GT(rewritten, 500u);
}

TEST_F(RandomHeads, OfResponsesAreTheSameInEverySink) {
  static constexpr const char* starts[] = {"HTTP/1.1 200 OK",       "HTTP/1.0 200 OK", "HTTP/1.1 299",
                                           "HTTP/1.1 204 ",         "HTTP/1.9 426 Up", "HTTP/1.1 103 Early Hints",
                                           "HTTP/1.1 101 Switched", "HTTP/1.1 304 Not"};
  std::size_t rewritten = 0;
  for (int round = 0; round < 20'000; ++round) {
    const std::string raw = any_of(starts) + "\r\n" + lines(Sender::server) + "\r\n";
    ResponseHead head;
    ASSERT_FALSE(parse_response_head(raw, {}, head)) << raw;
    const ResponseRules how{.client_http10 = one_in(3),
                            .close = one_in(3),
                            .announce_keep_alive = one_in(3),
                            .switching_protocols = head.status == 101,
                            .unix_time_s = one_in(2) ? 784111777 : 0};
    ListSink list;
    forward_response<Changes::some>(head, how, list);
    state::Buffer text;
    write_response_head(head, how, text);
    ResponseHead again;
    ASSERT_FALSE(parse_response_head(text.view(), {}, again)) << raw << text.view();
    ASSERT_EQ(std::to_string(again.status) + " " + std::string{again.reason}, list.start) << raw;
    ASSERT_EQ(pairs_of(again.fields), list.pairs) << raw << text.view();
    if (list.runs > 1) ++rewritten;
  }
  EXPECT_GT(rewritten, 3'000u);
}

TEST_F(RandomHeads, OfTrailersAreTheSameInEverySink) {
  for (int round = 0; round < 20'000; ++round) {
    const std::string raw = lines(Sender::server) + "\r\n";
    const bool underscores = one_in(2);
    std::vector<Field> fields;
    ASSERT_FALSE(parse_trailers(raw, {}, Sender::server, fields)) << raw;
    ListSink list;
    forward_fields(fields, trailer_rules(underscores), list);
    state::Buffer text;
    write_trailers(fields, underscores, text);
    std::vector<Field> again;
    ASSERT_FALSE(parse_trailers(text.view(), {}, Sender::client, again)) << raw << text.view();
    ASSERT_EQ(pairs_of(again), list.pairs) << raw << text.view();
  }
}

TEST(ForwardFields, GivesUntouchedNeighboursInOneRun) {
  ResponseHead head;
  ASSERT_FALSE(parse_response_head(
      "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nContent-Length: 3\r\nTE: x\r\nC: 4\r\nD :5\r\n\r\n", {}, head));
  ListSink list;
  forward_fields(head.fields, response_rules(head, {}), list);
  EXPECT_EQ(list.runs, 2u);
  EXPECT_EQ(list.pairs, (std::vector<Pair>{{"A", "1"}, {"B", "2"}, {"Content-Length", "3"}, {"C", "4"}, {"D", "5"}}));
}

}  // namespace
}  // namespace baton::http1
