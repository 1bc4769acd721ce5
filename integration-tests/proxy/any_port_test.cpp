// Port 0: the kernel chooses, and the choice stays over reloads, upgrades and rollbacks.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

using Listening = std::map<std::string, std::vector<Address>>;

Address address_of(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const auto port = static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1)));
  return text.starts_with('[') ? loopback_v6(port) : loopback(port);
}

class AnyPort : public testing::Test {
 protected:
  AnyPort(const std::string& listeners, const std::vector<Address>& admin)
      : baton(settings(origin.address(), listeners, admin)) {}

  Outcome ctl(const std::string& word) const { return run_baton({"ctl", word, "-c", baton.config_path()}); }

  // By listener, as `status` shows them; without Unix sockets.
  Listening listening() const {
    Listening found;
    const boost::json::object status = baton.status();
    for (const auto& one : status.at("listening").as_array()) {
      const std::string text(one.at("address").as_string());
      if (!text.starts_with("unix:")) found[std::string(one.at("listener").as_string())].push_back(address_of(text));
    }
    return found;
  }
  static std::vector<std::uint16_t> ports_of(const std::vector<Address>& addresses) {
    std::vector<std::uint16_t> ports;
    for (const Address& address : addresses) ports.push_back(address.port);
    return ports;
  }
  void replace(const std::string& what, const std::string& by) {
    std::string yaml = read_file(baton.config_path());
    yaml.replace(yaml.find(what), what.size(), by);
    replace_file(baton.config_path(), yaml);
  }
  void reload() {
    baton.signal(SIGHUP);
    baton.await_log(log_lines::reload_done);
  }
  void roll_back() {
    const Outcome outcome = ctl("rollback");
    ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
    baton.finish_upgrade();
  }

  Origin origin;
  Baton baton;

 private:
  static Settings settings(const Address& server, const std::string& listeners, const std::vector<Address>& admin) {
    Settings settings(server);
    settings.more_listeners = listeners;
    settings.more_admin = admin;
    return settings;
  }
};

const std::string of_one = "  - { name: one, bind: \"127.0.0.1:0\" }\n";
const std::string of_other = "  - { name: other, bind: \"127.0.0.1:0\" }\n";

class PortsOfListeners : public AnyPort {
 protected:
  PortsOfListeners()
      : AnyPort(of_one + of_other +
                    "  - { name: both, bind: \":0\" }\n"
                    "  - { name: several, bind: [ \"127.0.0.1:0\", \"localhost:0\", \"127.0.0.1:0\" ] }\n",
                {}) {}
};

TEST_F(PortsOfListeners, AreShownServedAndKept) {
  const Listening first = listening();
  ASSERT_EQ(first.at("one").size(), 1u);
  std::set<std::uint16_t> ports;
  for (const auto& [name, addresses] : first) {
    for (const Address& address : addresses) {
      EXPECT_NE(address.port, 0) << name;
      EXPECT_EQ(Client(address).get("/bytes/3").body, pattern(3)) << name;
      ports.insert(address.port);
    }
  }
  ASSERT_EQ(first.at("both").size(), 2u);
  EXPECT_EQ(first.at("both")[0].port, first.at("both")[1].port) << "of both families";
  EXPECT_EQ(ports.size(), 1u + 1 + 1 + 1 + 3) << "each address as written has one port of its own";
  baton.await_log(std::regex("listening on " + first.at("one")[0].text() + " \\(one\\)"));

  Client client(first.at("one")[0]);
  const auto expect_the_same = [&] {
    const Listening now = listening();
    for (const auto& [name, addresses] : first) EXPECT_EQ(ports_of(now.at(name)), ports_of(addresses)) << name;
    EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
    EXPECT_EQ(Client(first.at("both")[1]).get("/bytes/2").body, pattern(2));
  };
  reload();
  expect_the_same();
  baton.upgrade();
  expect_the_same();
  roll_back();
  expect_the_same();
}

TEST_F(PortsOfListeners, BelongToTheirListener) {
  const Listening first = listening();
  replace(of_one, "");
  reload();
  EXPECT_EQ(ports_of(listening().at("other")), ports_of(first.at("other")));
  EXPECT_FALSE(is_listening(first.at("one")[0]));
  replace(of_other, of_one);
  baton.upgrade();
  const Listening now = listening();
  EXPECT_NE(now.at("one")[0].port, first.at("other")[0].port) << "another listener, another port";
  EXPECT_FALSE(is_listening(first.at("other")[0]));
  EXPECT_EQ(Client(now.at("one")[0]).get("/bytes/3").body, pattern(3));
}

TEST_F(PortsOfListeners, CanBePinned) {
  const Address chosen = listening().at("one")[0];
  Client client(chosen);
  client.get("/bytes/1");
  replace(of_one, "  - { name: one, bind: \"" + chosen.text() + "\" }\n");
  reload();
  EXPECT_EQ(listening().at("one")[0].port, chosen.port);
  baton.upgrade();
  EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
  EXPECT_EQ(Client(chosen).get("/bytes/2").body, pattern(2));
}

class PortOfAdmin : public AnyPort {
 protected:
  PortOfAdmin() : AnyPort("", {loopback(0)}) {}
};

TEST_F(PortOfAdmin, IsShownAndKept) {
  const Address chosen = listening().at("@admin").at(0);
  EXPECT_NE(chosen.port, 0);
  EXPECT_EQ(Client(chosen).get("/readyz").status(), 200);
  baton.upgrade();
  EXPECT_EQ(ports_of(listening().at("@admin")), std::vector{chosen.port});
  EXPECT_EQ(Client(chosen).get("/readyz").status(), 200);
  roll_back();
  EXPECT_EQ(ports_of(listening().at("@admin")), std::vector{chosen.port});
  EXPECT_EQ(Client(chosen).get("/readyz").status(), 200);
}

TEST_F(PortOfAdmin, CannotBeFoundInTheFile) {
  EXPECT_EQ(ctl("status").code, 0) << "by the Unix socket";
  const std::string yaml = baton.directory() / "alone.yaml";
  replace_file(yaml, "admin: { bind: \"127.0.0.1:0\" }\n");
  const Outcome outcome = run_baton({"ctl", "status", "-c", yaml});
  EXPECT_NE(outcome.code, 0);
  EXPECT_NE(outcome.err.find("the kernel chose the port of `127.0.0.1:0`; name the address with --admin"),
            std::string::npos)
      << outcome.err;
}

}  // namespace
}  // namespace baton::harness
