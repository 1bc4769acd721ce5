// Compares example.yaml with the loader, so that neither lacks a key of the other.
#include <gtest/gtest.h>

#include <sstream>

#include "config/load.hpp"
#include "config/schema.hpp"
#include "config/testing/example.hpp"
#include "config/testing/load.hpp"
#include "config/testing/paths.hpp"

namespace baton::config {
namespace {

TEST(Example, LoadsAndItsValuesAreTheDefaults) {
  const Config config = config_of(example());
  const Config defaults;
  EXPECT_EQ(config.timeouts, defaults.timeouts);
  EXPECT_EQ(config.limits, defaults.limits);
  EXPECT_EQ(config.handoff, defaults.handoff);
  EXPECT_EQ(config.admin, defaults.admin);
  EXPECT_EQ(config.admin_token, defaults.admin_token);
  EXPECT_EQ(config.pid_file, defaults.pid_file);
  EXPECT_EQ(config.workers, defaults.workers);
  EXPECT_EQ(config.log, defaults.log);
  EXPECT_EQ(config.underscores, defaults.underscores);
  EXPECT_EQ(config.trusted_proxies, defaults.trusted_proxies);
  EXPECT_EQ(config.forwarded, defaults.forwarded);
  EXPECT_EQ(config.request_id, defaults.request_id);
  EXPECT_EQ(config.tracing, defaults.tracing);
  EXPECT_EQ(config.watch, defaults.watch);
  ASSERT_EQ(config.listeners.size(), 1u);
  EXPECT_EQ(config.listeners.front().protocol, Listener().protocol);
  EXPECT_EQ(config.listeners.front().upstream, Listener().upstream);
  EXPECT_EQ(config.listeners.front().proxy_protocol, Listener().proxy_protocol);
  EXPECT_EQ(config.listeners.front().backlog, Listener().backlog);
  EXPECT_EQ(config.listeners.front().tcp_keepalive, Listener().tcp_keepalive);
  EXPECT_EQ(config.listeners.front().tls, std::nullopt);
  ASSERT_EQ(config.upstreams.size(), 1u);
  ASSERT_EQ(config.upstreams.front().servers.size(), 1u);
  EXPECT_EQ(config.upstreams.front().servers.front().weight, Server().weight);
  EXPECT_EQ(config.upstreams.front().tls, std::nullopt);
  EXPECT_EQ(config.upstreams.front().tcp_keepalive, Upstream().tcp_keepalive);
  EXPECT_EQ(config.upstreams.front().proxy_protocol, Upstream().proxy_protocol);
}

TEST(Example, LoadsWithItsCommentsTakenAway) {
  const Config config = config_of(uncommented(example()));
  ASSERT_EQ(config.listeners.size(), 3u);
  EXPECT_EQ(config.listeners[1].protocol, Protocol::tcp);
  EXPECT_EQ(config.listeners[1].upstream, config.upstreams.front().name);
  EXPECT_TRUE(config.listeners[2].tls);
  EXPECT_EQ(config.request_id, RequestId{});
  ASSERT_EQ(config.upstreams.size(), 3u);
  EXPECT_TRUE(config.upstreams[1].tls);
  EXPECT_EQ(config.upstreams[2].health->active->type, ProbeType::grpc);
}

TEST(Example, ItsValuesOfTlsAreTheDefaults) {
  Config config = config_of(uncommented(example()));
  Config least = config_of(
      "version: 1\n"
      "listeners: [ { name: a, bind: \":80\", tls: { certificates: [ { cert: /c, key: /k } ] } } ]\n"
      "upstreams: [ { name: b, servers: [ { address: \"a:1\" } ], tls: {} } ]\n");
  ListenerTls& client = config.listeners.at(2).tls.value();
  client.certificates = {{{"/c"}, {"/k"}}};
  client.folders.clear();
  EXPECT_EQ(client, least.listeners.at(0).tls);
  EXPECT_EQ(config.upstreams.at(1).tls, least.upstreams.at(0).tls);
}

TEST(Example, LoadsWithEveryKeyOnceClientsAreAsked) {
  std::string every = with_every_key();
  const std::string off = "client_auth: off     ";
  every.replace(every.find(off), off.size(), "client_auth: required");
  const Config config = config_of(every);
  EXPECT_TRUE(config.listeners.at(2).tls.value().client_ca);
  EXPECT_TRUE(config.upstreams.at(1).tls.value().certificate);
}

TEST(Example, ShowsEveryKeyTheLoaderKnows) {
  const auto shown = paths_of(with_every_key());
  for (const KnownKey& key : known_keys()) EXPECT_TRUE(shown.contains(key.path)) << key.path;
}

TEST(Example, ShowsNothingElse) {
  std::set<std::string> known;
  for (const KnownKey& key : known_keys()) known.insert(key.path);
  for (const std::string& path : paths_of(with_every_key())) {
    const bool is_free = path.starts_with("routes.match.header.") || path.starts_with("routes.match.query.");
    EXPECT_TRUE(is_free || known.contains(path)) << path;
  }
}

TEST(Example, GivesAReasonForEveryKey) {
  std::istringstream lines(with_every_key());
  for (std::string line; std::getline(lines, line);) {
    const bool is_value = line.find(": ") < line.find('#');
    if (is_value) {
      EXPECT_NE(line.find(" # "), std::string::npos) << line;
    }
  }
}

TEST(Example, ItsAccessFormatIsTheDefault) {
  std::string logged = example();
  const std::string off = "path: \"\"";
  logged.replace(logged.find(off), off.size(), "path: \"-\"");
  EXPECT_EQ(config_of(logged).log.access, (AccessLog{"-"}));
}

}  // namespace
}  // namespace baton::config
