#include "proxy/metrics/tally.hpp"

#include <gmock/gmock.h>

#include "proxy/metrics/families.hpp"
#include "proxy/metrics/upstream_counts.hpp"

namespace baton::metrics {
namespace {

using testing::ElementsAre;

Totals now() {
  return Totals(ledger().read());
}

Tally::Exchange ended(std::size_t listener, std::size_t route, unsigned status) {
  return {.listener = listener,
          .route = route,
          .protocol = Protocol::http2,
          .tls = TlsVersion::v1_3,
          .status = status,
          .ending = state::Ending::done,
          .duration_ms = 3,
          .bytes_in = 10,
          .bytes_out = 100,
          .is_tunnel = false};
}

TEST(Tally, CountsExchangesByWhereTheyCameAndWent) {
  Tally tally;
  tally.begin({"web", "tls"}, {"r1", "r2"});
  tally.count(ended(1, 0, 204));
  tally.count(ended(1, 0, 200));
  tally.count(ended(0, 0, 200));
  tally.count(ended(1, 1, 503));
  tally.count(ended(7, 9, 0));  // both are gone
  EXPECT_EQ(now().value(R"(requests_total{listener="tls",route="r1",protocol="http/2",tls="1.3",code="2xx"})"), 0U)
      << "not yet";
  tally.settle();
  tally.settle();
  const Totals totals = now();
  EXPECT_EQ(totals.value(R"(requests_total{listener="tls",route="r1",protocol="http/2",tls="1.3",code="2xx"})"), 2U);
  EXPECT_EQ(totals.value(R"(requests_total{listener="web",route="r1",protocol="http/2",tls="1.3",code="2xx"})"), 1U);
  EXPECT_EQ(totals.value(R"(requests_total{listener="tls",route="r2",protocol="http/2",tls="1.3",code="5xx"})"), 1U);
  EXPECT_EQ(totals.value(R"(requests_total{listener="",route="",protocol="http/2",tls="1.3",code="none"})"), 1U);
  EXPECT_EQ(totals.value(R"(requests_ended_total{route="r1",ended="done"})"), 3U);
  EXPECT_EQ(totals.value(R"(request_body_bytes_total{route="r1"})"), 30U);
  EXPECT_EQ(totals.value(R"(response_body_bytes_total{route="r1"})"), 300U);
}

TEST(Tally, PutsDurationsIntoTheBucketThatTheyReach) {
  Tally tally;
  tally.begin({"h"}, {"hr"});
  for (const std::int64_t ms : {-1, 0, 1, 2, 3, 60'000, 60'001}) {
    Tally::Exchange exchange = ended(0, 0, 200);
    exchange.duration_ms = ms;
    tally.count(exchange);
  }
  Tally::Exchange tunnel = ended(0, 0, 101);
  tunnel.is_tunnel = true;
  tally.count(tunnel);
  tally.settle();
  bool was_seen = false;
  now().each("request_duration_seconds", [&](std::string_view labels, const Ledger::Numbers& numbers) {
    if (labels != R"({route="hr"})") return;
    was_seen = true;
    EXPECT_THAT(numbers, ElementsAre(3, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 120'007));
  });
  EXPECT_TRUE(was_seen);
}

TEST(Tally, CountsListenersConnections) {
  Tally tally;
  tally.begin({"l1"}, {});
  ListenerCounts& counts = tally.listener(0);
  counts.accepted.add(2);
  counts.received.add(1'000);
  counts.sent.add(2'000);
  counts.too_many.add();
  counts.no_access.add();
  counts.bad_arrival.add();
  counts.handshakes[static_cast<std::size_t>(TlsVersion::v1_2)][1].add();
  counts.tls_failures[static_cast<std::size_t>(TlsFailure::refused)].add();
  counts.streams.add(3);
  counts.http2_errors[11].add();
  counts.note_stream_reset(8);
  counts.note_stream_reset(0x1234);  // of a server that invents one
  counts.resets_by_client.add();
  counts.resets[static_cast<std::size_t>(state::Ending::server_gone)].add();
  counts.tunnels[static_cast<std::size_t>(state::Ending::idle)].add();
  tally.listener(5).accepted.add();  // it is gone
  tally.settle();
  const Totals totals = now();
  for (const auto& [name, number] : std::initializer_list<std::pair<const char*, std::uint64_t>>{
           {R"(connections_accepted_total{listener="l1"})", 2},
           {R"(connections_accepted_total{listener=""})", 1},
           {R"(received_bytes_total{listener="l1"})", 1'000},
           {R"(sent_bytes_total{listener="l1"})", 2'000},
           {R"(connections_refused_total{listener="l1",reason="connections_per_client"})", 1},
           {R"(connections_refused_total{listener="l1",reason="access"})", 1},
           {R"(connections_refused_total{listener="l1",reason="arrival"})", 1},
           {R"(tls_handshakes_total{listener="l1",version="1.2",resumed="true"})", 1},
           {R"(tls_failures_total{listener="l1",reason="refused"})", 1},
           {R"(http2_streams_total{listener="l1"})", 3},
           {R"(http2_connection_errors_total{listener="l1",error="enhance_your_calm"})", 1},
           {R"(http2_stream_resets_total{listener="l1",error="cancel"})", 1},
           {R"(http2_stream_resets_total{listener="l1",error="internal_error"})", 1},
           {R"(connection_resets_total{listener="l1",by="client",cause="client_gone"})", 1},
           {R"(connection_resets_total{listener="l1",by="baton",cause="server_gone"})", 1},
           {R"(tunnels_ended_total{listener="l1",ended="idle"})", 1}}) {
    EXPECT_EQ(totals.value(name), number) << name;
  }
}

TEST(Tally, EachSeriesBelongsToAKnownFamily) {
  UpstreamCounts upstream;
  for (Durations* one : {&upstream.connect, &upstream.first_byte, &upstream.queue}) one->add(1);
  for (Counter* one : {&upstream.retries, &upstream.resets}) one->add();
  for (Counter& one : upstream.connect_failures) one.add();
  upstream.settle("u");
  begin_series(ledger());
  for (const auto& [name, numbers] : ledger().read()) {
    const std::string family = name.substr(0, name.find('{'));
    bool is_known = false;
    for (const Family& one : ledger_families()) {
      if (one.name != family) continue;
      is_known = true;
      EXPECT_EQ(numbers.size(), one.bounds.empty() ? 1 : one.bounds.size() + 2) << name;
    }
    EXPECT_TRUE(is_known) << name;
  }
}

}  // namespace
}  // namespace baton::metrics
