#include "config/template.hpp"

#include <gtest/gtest.h>

namespace baton::config {
namespace {

std::string text_of(std::string_view text) {
  const auto parsed = Template::parse(text);
  return parsed ? parsed->text() : parsed.error();
}

TEST(Template, IsTextWithPlaceholders) {
  const auto parsed = Template::parse("https://{host}{uri}#end").value();
  ASSERT_EQ(parsed.parts().size(), 3u);
  EXPECT_EQ(parsed.parts()[0], (Template::Part{"https://", Placeholder::host, ""}));
  EXPECT_EQ(parsed.parts()[1], (Template::Part{"", Placeholder::uri, ""}));
  EXPECT_EQ(parsed.parts()[2], (Template::Part{"#end", Placeholder::none, ""}));
  EXPECT_TRUE(parsed.has(Placeholder::uri));
  EXPECT_FALSE(parsed.has(Placeholder::path));
  EXPECT_FALSE(parsed.is_literal());
}

TEST(Template, IsWrittenAsItWasRead) {
  for (const char* text : {"", "plain", "{{ and {{{{ and }", "{client}, {scheme}, {host}, {port}, {method}, {uri}",
                           "{path}{query}{request_id}{listener}{route}{upstream}{server}", "{tls.version}{tls.subject}",
                           "a{header.user-agent}b"}) {
    EXPECT_EQ(text_of(text), text);
  }
  EXPECT_EQ(text_of("{header.User-Agent}"), "{header.user-agent}");
}

TEST(Template, ABraceIsWrittenTwice) {
  const auto parsed = Template::parse("{{\"a\": 1}").value();
  EXPECT_TRUE(parsed.is_literal());
  EXPECT_EQ(parsed.literal(), "{\"a\": 1}");
}

TEST(Template, RefusesWhatIsNoPlaceholder) {
  EXPECT_EQ(text_of("{clinet}"), "there is no placeholder `{clinet}`; did you mean `{client}`?");
  EXPECT_EQ(text_of("{\"a\": 1}"), "there is no placeholder `{\"a\": 1}`; for a brace write `{{`");
  EXPECT_EQ(text_of("{status}"), "`{status}` is known only when the request has ended: for `log.access.format` alone");
  EXPECT_EQ(text_of("a {host"), "`{host`: the placeholder has no `}`; for a brace write `{{`");
  EXPECT_EQ(text_of("{header.}"), "`{header.}` must name a field, as in `{header.User-Agent}`");
  EXPECT_EQ(text_of("{header.a b}"), "`{header.a b}` must name a field, as in `{header.User-Agent}`");
}

}  // namespace
}  // namespace baton::config
