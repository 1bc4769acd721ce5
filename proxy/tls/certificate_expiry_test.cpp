#include "proxy/tls/certificate_expiry.hpp"

#include <gmock/gmock.h>

namespace baton::tls {
namespace {

using testing::ElementsAre;

constexpr std::int64_t day = seconds_per_day;
constexpr std::int64_t now = 20'000 * day + 5 * 3600;

Validity valid_until(std::int64_t until_s, std::int64_t life_s = 90 * day) {
  return {"/live/a/fullchain.pem", {"a.example"}, until_s - life_s, until_s};
}

std::vector<std::string> texts(const std::vector<Reminders::Reminder>& reminders) {
  std::vector<std::string> texts;
  for (const auto& one : reminders) texts.push_back((one.has_expired ? "error: " : "warning: ") + one.text);
  return texts;
}

TEST(Expiry, IsSoonInTheLastFourteenDaysOrTheLastQuarterOfAShorterLife) {
  EXPECT_FALSE(expires_soon(valid_until(now + 14 * day), now));
  EXPECT_TRUE(expires_soon(valid_until(now + 14 * day - 1), now));
  EXPECT_FALSE(expires_soon(valid_until(now + 2 * day, 8 * day), now));
  EXPECT_TRUE(expires_soon(valid_until(now + 2 * day - 1, 8 * day), now));
}

TEST(Expiry, IsInWholeDays) {
  EXPECT_EQ(days_left(now + 2 * day, now), 2);
  EXPECT_EQ(days_left(now + 2 * day - 1, now), 1);
  EXPECT_EQ(days_left(now, now), 0);
  EXPECT_EQ(days_left(now - 1, now), -1);
  EXPECT_EQ(days_left(now - day, now), -1);
  EXPECT_EQ(days_left(now - day - 1, now), -2);
}

TEST(Reminders, AreInWords) {
  Validity many = valid_until(now + day);
  many.names = {"a", "b", "c", "d", "e"};
  EXPECT_THAT(texts(Reminders().due({many}, now)),
              ElementsAre("warning: the certificate /live/a/fullchain.pem (a, b, c and 2 more) expires in 1 day: it is "
                          "valid until 2024-10-05 05:00 UTC"));
  EXPECT_THAT(texts(Reminders().due({valid_until(now + 13 * day)}, now)),
              ElementsAre("warning: the certificate /live/a/fullchain.pem (a.example) expires in 13 days: it is valid "
                          "until 2024-10-17 05:00 UTC"));
  EXPECT_THAT(texts(Reminders().due({valid_until(now)}, now)),
              ElementsAre("error: the certificate /live/a/fullchain.pem (a.example) has expired: it was valid until "
                          "2024-10-04 05:00 UTC, and clients refuse it"));
}

TEST(Reminders, ComeOnceADayForEachCertificate) {
  Reminders reminders;
  const Validity one = valid_until(now + 3 * day);
  Validity other = one;
  other.path = "/other";
  EXPECT_EQ(reminders.due({one, one}, now).size(), 1u) << "two listeners may have it";
  EXPECT_EQ(reminders.due({one, other}, now + 60).size(), 1u);
  EXPECT_EQ(reminders.due({one, other}, now + 19 * 3600 - 1).size(), 0u);
  EXPECT_EQ(reminders.due({one, other}, now + 19 * 3600).size(), 2u) << "at midnight";
  EXPECT_EQ(reminders.due({one, other}, now + day).size(), 0u);
}

TEST(Reminders, ComeAgainWhenItExpires) {
  Reminders reminders;
  const Validity one = valid_until(now + 3600);
  EXPECT_EQ(texts(reminders.due({one}, now)).size(), 1u);
  EXPECT_EQ(texts(reminders.due({one}, now + 3599)).size(), 0u);
  EXPECT_THAT(texts(reminders.due({one}, now + 3600)), ElementsAre(testing::StartsWith("error: ")));
}

TEST(Reminders, AreNotForThoseWithTimeLeft) {
  Reminders reminders;
  EXPECT_TRUE(reminders.due({valid_until(now + 20 * day)}, now).empty());
  EXPECT_EQ(reminders.due({valid_until(now + 20 * day)}, now + 7 * day).size(), 1u);
}

}  // namespace
}  // namespace baton::tls
