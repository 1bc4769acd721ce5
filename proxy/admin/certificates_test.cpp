#include "proxy/admin/certificates.hpp"

#include <gmock/gmock.h>

#include <boost/json.hpp>

#include "proxy/admin/metrics.hpp"
#include "proxy/admin/testing/exposition.hpp"

namespace baton::admin {
namespace {

CertificateStatus one(const std::string& listener, const std::string& path, std::int64_t until_s) {
  return {.listener = listener, .path = path, .names = {"a.example"}, .until_s = until_s, .days_left = 12};
}

TEST(Certificates, AreListedByWhenTheyExpireEachPathOfAListenerOnce) {
  const auto kept = listed({one("web", "/b", 2), one("web", "/a", 3), one("api", "/b", 1), one("web", "/b", 5)});
  std::vector<std::string> order;
  for (const CertificateStatus& each : kept) order.push_back(each.listener + each.path);
  EXPECT_THAT(order, testing::ElementsAre("api/b", "web/b", "web/a"));
}

TEST(Certificates, AreNotListedWithoutABound) {
  std::vector<CertificateStatus> many;
  for (std::size_t i = 0; i < certificates_listed_max + 10; ++i) {
    many.push_back(one("web", "/" + std::to_string(i), static_cast<std::int64_t>(100'000 - i)));
  }
  const auto kept = listed(many);
  EXPECT_EQ(kept.size(), certificates_listed_max);
  EXPECT_EQ(kept.front().path, "/" + std::to_string(certificates_listed_max + 9)) << "the first to expire";
}

TEST(Certificates, HaveTheirDatesInTheStatus) {
  EXPECT_EQ(
      boost::json::serialize(certificates_json({one("web", "/a", 1'700'000'000)})),
      R"([{"listener":"web","path":"/a","names":["a.example"],"not_after":"2023-11-14T22:13:20Z","days_left":12}])");
}

TEST(Certificates, AreAMetricEach) {
  Status status;
  EXPECT_EQ(to_metrics(status, {}).find("certificate_expiry_timestamp_seconds{"), std::string::npos);
  status.certificates = listed({one("web", "/a\"\xff", 1'700'000'000), one("web", "/a\"\xfe", 1'700'000'001)});
  const std::string text = to_metrics(status, {});
  EXPECT_NE(text.find("\nbaton_certificate_expiry_timestamp_seconds{listener=\"web\",certificate=\"/a\\\"\uFFFD\"} "
                      "1700000000\n"),
            std::string::npos)
      << text;
  EXPECT_THAT(complaints_about(text), testing::IsEmpty());
}

}  // namespace
}  // namespace baton::admin
