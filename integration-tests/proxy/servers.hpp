// An upstream with several servers, for tests of how they are chosen.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {

// One upstream with these keys. Each origin's server has the keys of its turn in `more`.
class Servers : public testing::Test {
 protected:
  void begin(std::size_t count, const std::string& keys, std::vector<std::string> more = {}, unsigned workers = 2) {
    for (std::size_t i = 0; i < count; ++i) origins.emplace_back();
    for (Origin& origin : origins) {
      const std::string name = std::to_string(&origin == &origins.front() ? 1 : number_of(origin));
      origin.on("/who", [name](Exchange& exchange) { exchange.respond(name); });
      origin.on("/held", [name](Exchange& exchange) {
        exchange.origin.gate().pass();
        exchange.respond(name);
      });
    }
    settings.binds = {loopback(free_port())};
    settings.workers = workers;
    settings.topology = topology(keys, std::move(more));
    baton = std::make_unique<Baton>(settings);
  }
  std::string topology(const std::string& keys, std::vector<std::string> more = {}) {
    more.resize(origins.size());
    std::string servers;
    for (std::size_t i = 0; Origin & origin : origins) {
      servers += fmt::format("      - {{ address: \"{}\"{}{} }}\n", origin.address().text(),
                             more[i].empty() ? "" : ", ", more[i]);
      ++i;
    }
    return fmt::format(
        "listeners: [ {{ name: web, bind: \"{}\" }} ]\n{}"
        "upstreams:\n  - name: app\n{}    servers:\n{}",
        settings.binds.front().text(), routes, keys, servers);
  }
  void reload(const std::string& keys, std::vector<std::string> more = {}) {
    settings.topology = topology(keys, std::move(more));
    baton->reload(settings);
  }
  std::size_t number_of(const Origin& origin) const {
    std::size_t number = 0;
    for (const Origin& one : origins) {
      ++number;
      if (&one == &origin) break;
    }
    return number;
  }
  Origin& origin(std::size_t number) { return *std::next(origins.begin(), static_cast<std::ptrdiff_t>(number - 1)); }

  // The name of the server that answers.
  std::string who(std::string_view fields = "") {
    const Response response = baton->connect().get("/who", fields);
    return response.status() == 200 ? response.body : std::to_string(response.status());
  }

  Outcome ctl_outcome(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "ctl");
    arguments.insert(arguments.end(), {"-c", baton->config_path()});
    return run_baton(arguments);
  }
  std::string ctl(std::vector<std::string> arguments) {
    const Outcome outcome = ctl_outcome(std::move(arguments));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  }
  // A server as `baton ctl servers` shows it.
  boost::json::object server(std::size_t number) {
    const auto shown = boost::json::parse(ctl({"servers", "--json"})).as_object();
    for (const auto& one : shown.at("servers").as_array()) {
      if (one.at("address").as_string() == origin(number).address().text()) return one.as_object();
    }
    throw Failure("a server is missing");
  }

  int waiting() {
    int sum = 0;
    for (Origin& one : origins) sum += one.gate().waiting();
    return sum;
  }
  // So many requests wait for a server; it shows in that their connections are in an exchange.
  void await_waiting(int count) { baton->await_number("connections.exchange", waiting() + count); }

  Settings settings;
  std::string routes;  // lines of YAML
  std::list<Origin> origins;
  std::unique_ptr<Baton> baton;
};

}  // namespace baton::harness
