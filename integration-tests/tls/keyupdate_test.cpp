// OpenSSL's own client sends KeyUpdates before, between and after upgrades: `K` asks for one in return, `k` does not.
#include <gtest/gtest.h>

#include "harness/baton.hpp"
#include "harness/certificates.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

class KeyUpdates : public testing::Test {
 protected:
  Settings settings() {
    Settings settings(origin.address());
    settings.protocol = "tcp";
    settings.tls = "certificates: [ " + authority.issue({"localhost"}).yaml() + " ]";
    return settings;
  }

  // The answer ends with its own line, so the test waits for nothing else.
  void expect_echo(const std::string& line) {
    client.type(line + "\n");
    client.await_line(Process::Stream::out, std::regex("^" + line + "$"));
  }
  void update_keys(char how) {
    client.type(std::string{how, '\n'});
    client.await_line(Process::Stream::err, std::regex("^KEYUPDATE"));
  }

  TempDir directory;
  Authority authority{directory};
  Origin origin;
  Baton baton{settings()};
  Process client{{.argv = {"openssl", "s_client", "-connect", baton.address().text(), "-servername", "localhost",
                           "-CAfile", authority.path(), "-verify_return_error", "-tls1_3"},
                  .has_input = true}};
};

TEST_F(KeyUpdates, OfOpenSslBeforeBetweenAndAfterUpgrades) {
  // The origin echoes what follows its 101; the client treats a typed line with LF as a complete one.
  client.type("GET /websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  client.await_line(Process::Stream::out, std::regex("101 Switching"));
  expect_echo("before anything");
  for (int round = 0; round < 10; ++round) {
    const std::string number = std::to_string(round);
    update_keys(round % 2 == 0 ? 'K' : 'k');
    if (round % 3 != 0) expect_echo("after a KeyUpdate " + number);
    baton.upgrade();
    expect_echo("after upgrade " + number);
    update_keys('K');
    expect_echo("and another " + number);
  }
  client.end_input();
  EXPECT_EQ(client.await_exit(), (Ended{0, 0})) << client.err();
  EXPECT_EQ(baton.number("accepted_total"), 1);
}

}  // namespace
}  // namespace baton::harness
