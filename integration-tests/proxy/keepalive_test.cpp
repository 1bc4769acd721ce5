// Which connections the kernel probes, as it says itself.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

// Whether the socket of 127.0.0.1 with this local and this remote port (0: any) has a keepalive timer, which
// /proc/net/tcp shows as `02:`. Nothing: there is no such established socket.
std::optional<bool> is_probed(std::uint16_t local, std::uint16_t remote) {
  std::ifstream sockets("/proc/net/tcp");
  for (std::string line; std::getline(sockets, line);) {
    std::istringstream words(line);
    std::string number, from, to, status, queues, timer;
    words >> number >> from >> to >> status >> queues >> timer;
    if (status != "01") continue;
    const auto port_of = [](const std::string& address) {
      return std::stoi(address.substr(address.find(':') + 1), nullptr, 16);
    };
    if ((local == 0 || port_of(from) == local) && (remote == 0 || port_of(to) == remote))
      return timer.starts_with("02:");
  }
  return std::nullopt;
}

class Keepalive : public testing::TestWithParam<bool> {};

TEST_P(Keepalive, IsAsConfiguredOnBothSides) {
  const std::string value = GetParam() ? "1m" : "0";
  Origin origin;
  const Address web = loopback(free_port());
  Settings settings;
  settings.binds = {web};
  settings.topology = "listeners:\n  - { name: web, bind: \"" + web.text() + "\", tcp_keepalive: " + value +
                      " }\nupstreams:\n  - { name: app, tcp_keepalive: " + value + ", servers: [ { address: \"" +
                      origin.address().text() + "\" } ] }\n";
  Baton baton(settings);
  Client client(web);
  EXPECT_EQ(client.get("/echo").status(), 200);
  EXPECT_EQ(is_probed(web.port, client.local_port()), GetParam());
  EXPECT_EQ(is_probed(0, origin.address().port), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Keepalive, Keepalive, testing::Bool(), [](const auto& i) { return i.param ? "On" : "Off"; });

}  // namespace
}  // namespace baton::harness
