#include "proxy/access_log/format.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "proxy/access_log/entry.hpp"

namespace baton::access_log {
namespace {

config::AccessLog with_text(std::string_view text) {
  return {.path = "-",
          .format = config::AccessFormat::text,
          .text = config::Template::parse(text, config::TextFor::access_log).value()};
}

TEST(AccessFormat, KnowsWhichValuesStandInQuotes) {
  EXPECT_EQ(format_of(with_text(R"({client} "{request}" {status} "{header.A} {header.B}" {time})")).in_quotes,
            (std::vector<bool>{false, true, false, true, true, false}));
}

TEST(AccessFormat, NamesTheProcessToSyslogAlone) {
  EXPECT_EQ(format_of({.path = "-"}).syslog_name, "");
  const std::string name = format_of({.syslog = config::Address{.host = "127.0.0.1", .port = 514}}).syslog_name;
  EXPECT_TRUE(name.ends_with(" baton " + std::to_string(::getpid()) + " access - ")) << name;
  EXPECT_EQ(name.find(' ', 1), name.find(" baton ")) << "the host's name is one word";
}

}  // namespace
}  // namespace baton::access_log
