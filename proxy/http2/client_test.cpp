// The connection as a client's: requests go out on it, and a server answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "proxy/http2/testing/frames.hpp"

namespace baton::http2 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto refused = static_cast<std::uint32_t>(Error::refused_stream);

// Streams are kept by the order in which they were made, since they get their ids late.
class Client final : public Streams {
 public:
  Client() {
    begin_as_client(frames, leg, terms);
    leg.unsent.clear();
  }

  std::size_t count() const override { return flows.size(); }
  state::Flow* find(std::uint32_t id) override {
    for (const auto& one : flows) {
      if (one->stream->id == id) return one.get();
    }
    return nullptr;
  }
  state::Flow& begin(std::uint32_t) override { throw std::logic_error("a server has begun a stream"); }
  void note_touched(state::Flow&) override {}
  void each(void (*visit)(state::Flow& flow, void* with), void* with) override {
    for (const auto& one : flows) visit(*one, with);
  }

  bool take(std::string_view bytes) {
    leg.unread.append(bytes);
    return open(frames, leg, *this, terms, 1'000, floods, scratch);
  }
  void greet(const std::string& settings = "") { EXPECT_TRUE(take(frame(FrameType::settings, 0, 0, settings))); }
  // A stream whose head waits to be sent.
  state::Flow& ask(bool ends = true) {
    state::Flow& flow = *flows.emplace_back(std::make_unique<state::Flow>());
    begin_stream(frames, flow);
    const std::string head = block(get);
    append_number(flow.stream->heads, number_of({static_cast<std::uint32_t>(head.size()), ends}));
    flow.stream->heads.append(head);
    flow.write_ended = flow.stream->end_sent = ends;
    return flow;
  }
  // And is sent.
  state::Flow& asked(bool ends = true) {
    state::Flow& flow = ask(ends);
    EXPECT_TRUE(seal(frames, leg, flow, terms));
    return flow;
  }
  std::vector<std::string> errors() {
    std::vector<std::string> all;
    for (std::string_view rest = leg.unsent.view(); rest.size() >= frame_head_bytes;) {
      const FrameHead head = read_frame_head(rest.data());
      if (head.type == FrameType::goaway) all.push_back("GOAWAY");
      if (head.type == FrameType::rst_stream) all.push_back("RST " + std::to_string(head.stream));
      rest.remove_prefix(frame_head_bytes + head.bytes);
    }
    leg.unsent.clear();
    return all;
  }

  state::Frames frames;
  state::Flow leg;
  Terms terms;
  Floods floods;
  Scratch scratch;
  std::vector<std::unique_ptr<state::Flow>> flows;
};

const List ok{{":status", "200"}, {"a", "b"}};

TEST(Client, BeginsWithThePrefaceAndNoPush) {
  state::Frames frames;
  state::Flow leg;
  begin_as_client(frames, leg, {});
  EXPECT_TRUE(leg.unsent.view().starts_with(preface));
  EXPECT_NE(leg.unsent.view().find(setting(2, 0)), std::string_view::npos);
  EXPECT_TRUE(frames.is_client);
}

TEST(Client, GivesIdsInTheOrderOfSending) {
  Client client;
  client.greet();
  state::Flow& first = client.ask();
  state::Flow& second = client.ask();
  EXPECT_EQ(first.stream->id, 0U);
  EXPECT_TRUE(seal(client.frames, client.leg, second, client.terms));
  EXPECT_TRUE(seal(client.frames, client.leg, first, client.terms));
  EXPECT_EQ(second.stream->id, 1U);
  EXPECT_EQ(first.stream->id, 3U);
}

TEST(Client, GetsAResponseAsText) {
  Client client;
  client.greet();
  state::Flow& flow = client.asked();
  EXPECT_TRUE(client.take(headers(1, {{":status", "103"}, {"link", "x"}}, whole) + headers(1, ok, whole) +
                          frame(FrameType::data, 0, 1, "hello") + headers(1, {{"sum", "1"}})));
  EXPECT_EQ(flow.unread.view(), "HTTP/1.1 103 \r\nlink: x\r\n\r\nHTTP/1.1 200 \r\na: b\r\n\r\nhello");
  EXPECT_TRUE(flow.read_ended);
  EXPECT_FALSE(flow.was_reset);
  ASSERT_TRUE(flow.stream->trailers_in);
  EXPECT_EQ(flow.stream->trailers_in->view(), "sum: 1\r\n\r\n");
}

TEST(Client, RefusesMalformedResponses) {
  const std::string data = frame(FrameType::data, flag_end_stream, 1, "x");
  const std::vector<std::string> cases{
      data,                                                   // no head
      headers(1, {{":status", "101"}}, whole),                // §8.6
      headers(1, {{":status", "20"}}),                        //
      headers(1, {{"a", "b"}}),                               // no status
      headers(1, {{":status", "200"}, {":status", "200"}}),   //
      headers(1, {{":status", "200"}, {"connection", "x"}}),  // §8.2.2
      headers(1, {{":status", "100"}}),                       // an interim response cannot end the stream
      headers(1, {{":status", "200"}, {"content-length", "2"}}, whole) + data,
      headers(1, {{":status", "200"}, {"content-length", "x"}}, whole),
      headers(1, ok, whole) + headers(1, {{"a", "b"}}, whole),  // trailers must end it
  };
  for (const std::string& one : cases) {
    Client client;
    client.greet();
    const state::Flow& flow = client.asked();
    EXPECT_TRUE(client.take(one));
    EXPECT_TRUE(flow.was_reset && flow.read_ended) << testing::PrintToString(one);
    EXPECT_THAT(client.errors(), ElementsAre("RST 1"));
  }
}

TEST(Client, FailsIfTheServerBreaksTheConnection) {
  const std::vector<std::string> cases{
      frame(FrameType::push_promise, flag_end_headers, 1, number(2) + block(get)),
      headers(2, ok),                                   // servers begin no streams
      headers(3, ok),                                   // idle
      frame(FrameType::data, 0, 3, "x"),                //
      frame(FrameType::rst_stream, 0, 3, number(8)),    //
      frame(FrameType::settings, 0, 0, setting(2, 1)),  // §6.5.2
      frame(FrameType::window_update, 0, 0, number(0)),
  };
  for (const std::string& one : cases) {
    Client client;
    client.greet();
    client.asked();
    EXPECT_FALSE(client.take(one)) << testing::PrintToString(one);
    EXPECT_THAT(client.errors(), ElementsAre("GOAWAY"));
  }
}

TEST(Client, KnowsWhatTheServerSays) {
  Client client;
  client.greet(setting(3, 7) + setting(8, 1) + setting(4, 100));
  EXPECT_EQ(client.frames.peer_streams_max, 7U);
  EXPECT_TRUE(client.frames.takes_connect);
  EXPECT_EQ(client.ask().stream->send_window, 100);
}

// RFC 9110 §8.6: the length would be that of the response to GET.
TEST(Client, TakesLengthsOfContentThatDoesNotCome) {
  for (const std::string status : {"200", "304"}) {
    Client client;
    client.greet();
    state::Flow& flow = client.asked();
    flow.stream->is_head_request = status == "200";
    EXPECT_TRUE(client.take(headers(1, {{":status", status}, {"content-length", "9"}})));
    EXPECT_TRUE(flow.read_ended && !flow.was_reset) << status;
  }
}

TEST(Client, LearnsWhatAServerHasNotProcessed) {
  Client client;
  client.greet();
  const state::Flow& served = client.asked();
  const state::Flow& unserved = client.asked();
  const state::Flow& unsent = client.ask();
  EXPECT_TRUE(client.take(frame(FrameType::goaway, 0, 0, number(1) + number(0))));
  EXPECT_TRUE(client.frames.goaway_came);
  EXPECT_FALSE(served.was_reset);
  for (const state::Flow* one : {&unserved, &unsent}) {
    EXPECT_TRUE(one->was_reset && one->read_ended);
    EXPECT_EQ(one->stream->reset_code, refused);
  }
  EXPECT_TRUE(client.take(frame(FrameType::rst_stream, 0, 1, number(refused))));
  EXPECT_TRUE(served.was_reset);
  EXPECT_EQ(served.stream->reset_code, refused);
  EXPECT_THAT(client.errors(), IsEmpty());
}

// RFC 9113 §8.1: a whole response may come before the request is whole.
TEST(Client, KeepsAWholeResponseWhenTheRestIsNotWanted) {
  Client client;
  client.greet();
  state::Flow& flow = client.asked(false);
  flow.unsent.append("more");
  EXPECT_TRUE(client.take(headers(1, ok) + frame(FrameType::rst_stream, 0, 1, number(0))));
  EXPECT_FALSE(flow.was_reset);
  EXPECT_TRUE(flow.read_ended && flow.write_ended && flow.unsent.empty());
}

// All of it may come at once, before anybody has looked at the response.
TEST(Client, KeepsAWholeResponseWhateverFollowsOnItsStream) {
  const std::vector<std::string> strays{frame(FrameType::data, 0, 1, "x"), frame(FrameType::data, flag_end_stream, 1),
                                        headers(1, {{"a", "b"}}), frame(FrameType::window_update, 0, 1, number(0)),
                                        frame(FrameType::rst_stream, 0, 1, number(2))};
  for (const std::string& stray : strays) {
    Client client;
    client.greet();
    const state::Flow& flow = client.asked();
    EXPECT_TRUE(client.take(headers(1, ok, whole) + frame(FrameType::data, flag_end_stream, 1, "hello") + stray));
    EXPECT_TRUE(flow.read_ended && !flow.was_reset) << testing::PrintToString(stray);
    EXPECT_TRUE(flow.unread.view().ends_with("hello"));
    EXPECT_FALSE(flow.stream->trailers_in);
  }
}

// Its server may not be the fastest to learn of a reset.
TEST(Client, IgnoresWhatComesForStreamsThatItHasReset) {
  Client client;
  client.greet();
  reset(client.frames, client.leg, client.asked(), Error::cancel);
  client.flows.clear();
  client.leg.unsent.clear();
  EXPECT_TRUE(client.take(headers(1, ok, whole) + frame(FrameType::data, flag_end_stream, 1, "x")));
  EXPECT_THAT(client.errors(), IsEmpty());
}

TEST(Client, BoundsInterimResponses) {
  Client client;
  client.terms.list_bytes = 1'000;
  client.greet();
  const state::Flow& flow = client.asked();
  const std::string interim = headers(1, {{":status", "102"}, {"a", std::string(500, 'x')}}, whole);
  for (int i = 0; i < 10; ++i) client.take(interim);
  EXPECT_TRUE(flow.was_reset);
  EXPECT_LT(flow.unread.size(), 2'000U);
}

}  // namespace
}  // namespace baton::http2
