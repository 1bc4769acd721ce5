// A mistake is named and reported where it was made.
#include <gmock/gmock.h>

#include "config/testing/load.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

class Mistakes : public testing::TestWithParam<Refusal> {};

TEST_P(Mistakes, AreNamedWhereTheyWereMade) {
  expect_refused(GetParam());
}

const Refusal mistakes[] = {
    {"ColonOfASection",
     "version: 1\nlisteners\n  - name: web\n    bind: :80\n",
     {"f:2:1: a colon is missing after `listeners`"}},
    {"ColonInAnEntry",
     "version: 1\nlisteners:\n  - name web\n    bind: :80\n",
     {"f:3:5: a colon is missing after `name`"}},
    {"ColonOfASecondKey",
     "listeners:\n  - name: web\n    bind :80\n    protocol: http\n",
     {"f:3:5: a colon is missing after `bind`"}},
    {"ColonInTheFirstLine", "version 1\nlisteners:\n  - name: web\n", {"f:1:1: a colon is missing after `version`"}},
    {"EqualsSign", "version = 1\nlisteners:\n  - name: web\n", {"f:1:1: a colon is missing after `version`"}},
    {"ColonBetweenOthers",
     minimal + "timeouts:\n  idle: 1s\n  head 5s\n  body: 6s\n",
     {"f:10:3: a colon is missing after `head`"}},
    {"TwoColons",
     minimal + "timeouts:\n  head 5s\n  idle 5s\n  body: 6s\n",
     {"f:9:3: a colon is missing after `head`"}},
    {"ColonAtTheEnd", minimal + "timeouts:\n  idle: 1s\n  head 5s\n", {"f:10:3: a colon is missing after `head`"}},
    {"ColonInTheLastLine", minimal + "workers 4\n", {"f:8:1: a colon is missing after `workers`"}},
    {"ColonInBraces", minimal + "log: { level info }\n", {"f:8:8: a colon is missing after `level`"}},
    {"ColonBeforeAList",
     "upstreams:\n  - name: app\n    servers\n      - address: a:1\n",
     {"f:3:5: a colon is missing after `servers`"}},
    {"BlankBehindAColon", minimal + "workers:4\nlog: {}\n", {"f:8:1: a space is missing after the colon of `workers`"}},
    {"BlankBehindTheLastColon", minimal + "workers:4\n", {"f:8:1: a space is missing after the colon of `workers`"}},
    {"BlankBehindADash", "listeners:\n  -name: web\n   bind: :80\n", {"f:2:3: a space is missing after the `-`"}},
    {"TooDeep",
     minimal + "limits:\n  fields: 1\n   body_bytes: 2\n",
     {"f:10:14: YAML: illegal map value; is this line indented deeper"}},
    {"NotDeepEnough",
     minimal + "limits:\n    fields: 1\n  body_bytes: 2\n",
     {"f:10:3: YAML: end of map not found; this line is indented like neither"}},
    {"BracketOfLinesAbove",
     "version: 1\nlisteners: [ { name: a, bind: \":80\" }\nupstreams: []\n",
     {"f:2:12: this `[` is never closed"}},
    {"Comma",
     "listeners: [ { name: a bind: \":80\" } ]\n",
     {"f:1:28: YAML: end of map flow not found; is a comma missing"}},
    {"Star",
     "version: 1\nlisteners: [ { name: a, bind: *:80 } ]\n",
     {"f:2:31: YAML: the referenced anchor is not defined; a `*` at the start of a value makes it an alias"}},
    {"Quote", "version: 1\npid_file: \"/run/x\nworkers: 4\n", {"f:2:11: this quote is never closed"}},
    {"ApostropheInBrackets", "version: 1\nx: [ 'a, b ]\n", {"f:2:6: this quote is never closed"}},
    {"QuoteBehindAPlainOne", "version: 1\nx: it - 'is\ny: 'z\n", {"f:3:4: this quote is never closed"}},
    {"QuoteInAList", "version: 1\nx:\n  - - 'a\n", {"f:3:7: this quote is never closed"}},
    {"QuoteOfAKey", "version: 1\n\"x: 1\n", {"f:2:1: this quote is never closed"}},
    {"QuoteBehindAnAnchor", "version: 1\nx: &it's  \"a\n", {"f:2:11: this quote is never closed"}},
    {"QuoteBelowAnAnchor", "version: 1\nx: &a # it's\n  'b\n", {"f:3:3: this quote is never closed"}},
    {"QuoteBehindABlock", "version: 1\nx: |\n  a 'b\ny: 'c\n", {"f:4:4: this quote is never closed"}},
    {"QuoteBehindAByteOrderMark", "\xEF\xBB\xBFx: 'a\n", {"f:1:4: this quote is never closed"}},
    {"EscapedQuotes", "version: 1\nx: 'a'''\ny: 'a''\n", {"f:3:4: this quote is never closed"}},
    {"EscapedDoubleQuotes", "version: 1\nx: \"a\\\\\"\ny: \"a\\\"\n", {"f:3:4: this quote is never closed"}},
    {"BracketAroundAnApostrophe", "version: 1\nx: [ a - 'b, c\ny: 1\n", {"f:2:4: this `[` is never closed"}},
};
INSTANTIATE_TEST_SUITE_P(Of, Mistakes, testing::ValuesIn(mistakes), [](const auto& i) { return i.param.title; });

TEST(Quotes, ThatCloseAreNoMistake) {
  for (const std::string& value : std::initializer_list<std::string>{"\"a # \\\" b\"", "'it''s'", "it's", "a\"b",
                                                                     "\"multi\n  line\"", "\"a\" # don't"}) {
    EXPECT_THAT(problems_of(minimal + "log: { access: { path: \"\" } }\nx: " + value + "\n"),
                testing::ElementsAre(testing::HasSubstr("unknown key `x`")))
        << value;
  }
}

TEST(Quotes, InsideOfAPlainValueAreCharactersLikeOthers) {
  for (const std::string& value : std::initializer_list<std::string>{
           "it - 'is", "it - \"is", "it :'is", "it:'is", "it -'is", "it, 'is", "it ['is", "it {\"is", "a - 'b - \"c",
           "one\n  'two", "one\n  \"two", "one\n\n  'two\n  \"three", "one\n  - 'two", "[ a - 'b ]", "[ a\n  'b ]",
           "{ k: a - \"b }", "&a it - 'is", "&a it\n  'is", "|\n  'a\n  \"b", ">\n  - 'a"}) {
    EXPECT_THAT(problems_of(minimal + "x: " + value + "\n"),
                testing::ElementsAre(testing::HasSubstr("unknown key `x`")))
        << value;
  }
}

// Every replacement that a message offers is accepted.
TEST(Offers, AreNotRefused) {
  for (const auto& [before, after] :
       {std::pair("upstreams:\n  - name: a\n    servers: [ { address: a:1 } ]\n    balance: ", ""),
        {"via: ", ""},
        {"watch: ", ""},
        {"log: { level: ", " }"},
        {"log: { access: { path: \"-\", format: ", " } }"}}) {
    const std::string yaml = std::string(before).starts_with("upstreams")
                                 ? "version: 1\nlisteners: [ { name: a, bind: \":80\" } ]\n" + std::string(before)
                                 : minimal + before;
    const auto problems = problems_of(yaml + "xyzzy" + after + "\n");
    ASSERT_EQ(problems.size(), 1u) << yaml;
    const std::string marker = "(expected: ";
    std::string words = problems.front().substr(problems.front().find(marker) + marker.size());
    words.resize(words.rfind(')'));
    for (std::size_t end; !words.empty(); words.erase(0, std::min(end + 2, words.size()))) {
      end = std::min(words.find(", "), words.size());
      EXPECT_THAT(problems_of(yaml + words.substr(0, end) + after + "\n"), testing::IsEmpty()) << words;
    }
  }
}

}  // namespace
}  // namespace baton::config
