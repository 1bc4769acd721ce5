// When certificates expire: in the log, the status, the metrics and `baton ctl status`.
#include <gtest/gtest.h>
#include <signal.h>

#include <ctime>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"
#include "tls/certbot_folders.hpp"

namespace baton::harness {
namespace {

constexpr long day_s = 24 * 3600;

// Half a day more, so that whole days are the same throughout the test.
long in_days(long days) {
  return days * day_s + day_s / 2;
}

class Expiry : public testing::Test {
 protected:
  Baton started() {
    Settings settings(origin.address());
    settings.tls = folders.yaml();
    settings.more_admin = {admin};
    return Baton(settings);
  }
  std::size_t warnings(const Baton& baton) const {
    return baton.count_log_lines(
        std::regex("warn .*the certificate .*live/soon.test/fullchain.pem \\(soon.test\\) "
                   "expires in 5 days: it is valid until"));
  }

  TempDir directory;
  Authority authority{directory};
  CertbotFolders folders{directory / "letsencrypt"};
  Origin origin;
  const Address admin = loopback(free_port());
};

TEST_F(Expiry, IsSeenByOperatorsAndSaidOnceADay) {
  const std::time_t first_day = std::time(nullptr) / day_s;
  folders.install("later.test", authority.issue_until("later.test", in_days(40)));
  folders.install("soon.test", authority.issue_until("soon.test", in_days(5)));
  Baton baton = started();
  baton.await_log(std::regex("the certificate .*soon.test.* expires in 5 days"));
  for (int upgrades = 0; upgrades < 2; ++upgrades) {
    const boost::json::array certificates = baton.status().at("certificates").as_array();
    ASSERT_EQ(certificates.size(), 2u);
    const boost::json::object& first = certificates.front().as_object();
    EXPECT_EQ(first.at("listener"), "web");
    EXPECT_EQ(first.at("path"), boost::json::string(folders.path("soon.test")));
    EXPECT_EQ(first.at("names"), boost::json::array{"soon.test"});
    EXPECT_EQ(first.at("days_left"), 5);
    EXPECT_TRUE(std::regex_match(std::string(first.at("not_after").as_string()), std::regex("20..-..-..T..:..:..Z")));
    const std::string metrics = Client(admin).get("/metrics").body;
    const std::regex metric("\nbaton_certificate_expiry_timestamp_seconds\\{listener=\"web\",certificate=\"" +
                            folders.path("soon.test") + "\"\\} [0-9]{10}\n");
    EXPECT_TRUE(std::regex_search(metrics, metric)) << metrics;
    const Outcome shown = run_baton({"ctl", "status", "-c", baton.config_path()});
    EXPECT_NE(shown.out.find("\ncertificate    soon.test expires in 5 days, at "), std::string::npos) << shown.out;
    baton.signal(SIGHUP);
    baton.await_log(log_lines::reload_done);
    baton.upgrade();
  }
  const bool is_same_day = std::time(nullptr) / day_s == first_day;
  EXPECT_EQ(warnings(baton), is_same_day ? 1u : warnings(baton)) << baton.log();
}

TEST_F(Expiry, OfOneThatHasExpiredIsAnErrorAndItIsServed) {
  folders.install("old.test", authority.issue_expired("old.test"));
  Baton baton = started();
  baton.await_log(std::regex("error .*the certificate .*old.test.* has expired: it was valid until"));
  EXPECT_LT(baton.status().at("certificates").at(0).at("days_left").as_int64(), 0);
  folders.install("old.test", authority.issue_until("old.test", in_days(60)));
  baton.await_log(std::regex("certificates have changed: reloaded"));
  EXPECT_EQ(baton.status().at("certificates").at(0).at("days_left"), 60);
}

}  // namespace
}  // namespace baton::harness
