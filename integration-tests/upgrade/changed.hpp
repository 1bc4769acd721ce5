// A configuration that changes under live connections, by an upgrade or by a reload.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>

#include <string>
#include <string_view>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {

inline constexpr std::string_view websocket_fields = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

inline std::string listener(const std::string& name, const Address& at, const std::string& more = "") {
  return "  - { name: " + name + ", bind: \"" + at.text() + "\"" + more + " }\n";
}

inline std::string upstream(const std::string& name, const Origin& origin) {
  return "  - { name: " + name + ", servers: [ { address: \"" + origin.address().text() + "\" } ] }\n";
}

enum class Way { upgrade, reload };

class Changed : public testing::TestWithParam<Way> {
 protected:
  static Settings patient(Settings settings) {
    settings.handoff += ", finish_timeout: 100ms";
    return settings;
  }
  Settings with(const std::string& listeners, const std::string& upstreams) const {
    Settings settings;
    settings.binds = {web};
    settings.topology = "listeners:\n" + listeners + "upstreams:\n" + upstreams;
    return patient(settings);
  }
  Settings with_limits(const std::string& limits) const {
    Settings settings = with(listener("web", web), upstream("app", origin));
    settings.limits = limits;
    return settings;
  }
  Settings with_timeouts(const std::string& timeouts) const {
    Settings settings = with(listener("web", web), upstream("app", origin));
    settings.timeouts = timeouts;
    return settings;
  }

  static void change(Baton& baton, const Settings& settings) {
    replace_file(baton.config_path(), to_yaml(settings, baton.directory()));
    if (GetParam() == Way::upgrade) {
      const std::string report = baton.upgrade();
      EXPECT_NE(report.find("taken_back=0, refused=0"), std::string::npos) << report;
    } else {
      baton.signal(SIGHUP);
      baton.await_log(log_lines::reload_done);
    }
  }

  // The next response announces that it is the last, and it is.
  static void expect_last_response(Client& client, std::size_t bytes) {
    const Response response = client.response();
    EXPECT_EQ(response.body, pattern(bytes));
    EXPECT_EQ(response.field("Connection"), "close");
    client.expect_fin();
  }

  Origin origin;
  Address web = loopback(free_port());
  Address extra = loopback(free_port());
};

inline std::string name_of(const testing::TestParamInfo<Way>& way) {
  return way.param == Way::upgrade ? "Upgrade" : "Reload";
}

}  // namespace baton::harness
