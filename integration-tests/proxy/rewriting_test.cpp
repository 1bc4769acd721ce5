// What a route changes in requests and responses, with real processes and servers.
#include <gtest/gtest.h>

#include "harness/aftermath.hpp"
#include "harness/certificates.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"
#include "harness/tls_client.hpp"

namespace baton::harness {
namespace {

Settings with_route(const Origin& origin, const std::string& keys) {
  Settings settings(origin.address());
  settings.more = "routes:\n  - name: shop\n    upstream: web\n" + keys;
  return settings;
}

// The line of the request's head as the server got it; empty: there is none.
std::string line_of(const std::string& head, const std::string& beginning) {
  const std::size_t at = head.find("\r\n" + beginning);
  return at == std::string::npos ? "" : head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
}

TEST(Rewriting, KnowsTheConnectionAndTheServer) {
  const Origin origin;
  const TempDir files;
  Authority authority(files);
  Settings settings =
      with_route(origin,
                 "    host: upstream\n"
                 "    request_headers: { set: { X-Way: \"{listener} {route} {upstream} {server} {scheme} "
                 "{tls.version}\" } }\n");
  settings.tls = "certificates: [ " + authority.issue({"localhost"}).yaml() + " ]";
  const Baton baton(settings);
  TlsClient client(baton.address());
  const std::string head = client.get("/echo").body;
  EXPECT_EQ(line_of(head, "Host:"), "Host: " + origin.address().text());
  EXPECT_EQ(line_of(head, "X-Way:"), "X-Way: web shop web " + origin.address().text() + " https 1.3");
}

TEST(Rewriting, OfAPathReachesTheServer) {
  const Origin origin;
  const Baton baton(with_route(origin, "    path: { strip_prefix: /v1 }\n"));
  Client client = baton.connect();
  EXPECT_EQ(client.get("/v1/bytes/5").body, pattern(5));
  EXPECT_EQ(client.get("/v1/../v1//bytes/6").body, pattern(6));
}

TEST(Rewriting, OfAPathByAnExpressionReachesTheServer) {
  const Origin origin;
  Baton baton(with_route(origin, "    path: { regex: { match: \"^/([a-z]+)-([0-9]+)$\", replace: \"/$1/${2}\" } }\n"));
  Client client = baton.connect();
  EXPECT_EQ(client.get("/bytes-5").body, pattern(5));
  baton.upgrade();
  EXPECT_EQ(client.get("//bytes-6").body, pattern(6));
}

// The response is edited as its route said when the request was sent, although another process writes it.
TEST(Rewriting, SurvivesAnUpgradeAndAReload) {
  Origin origin;
  Baton baton(
      with_route(origin, "    response_headers: { set: { X-Route: \"first {path}\" }, remove: [ Content-Type ] }\n"));
  Client waiting = baton.connect();
  waiting.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  std::string yaml = read_file(baton.config_path());
  yaml.replace(yaml.find("first"), 5, "next ");
  replace_file(baton.config_path(), yaml);
  baton.signal(SIGHUP);
  baton.await_log(log_lines::reload_done);
  baton.upgrade();
  origin.gate().open();
  EXPECT_EQ(waiting.response().field("X-Route"), "first /held");
  EXPECT_EQ(waiting.get("/bytes/1").field("X-Route"), "next  /bytes/1");
  expect_one_instance(baton);
}

}  // namespace
}  // namespace baton::harness
