#include "proxy/admin/page.hpp"

#include <gmock/gmock.h>

#include "proxy/admin/page/html.hpp"

namespace baton::admin {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Page, HasTheStatusInPlaceOfTheMarker) {
  Status status;
  status.generation = 4711;
  status.version = "1.2.3";
  status.servers.push_back({.upstream = "app", .address = "127.0.0.1:9000", .state = "ejected", .why = "5 failures"});
  status.routes.push_back({.name = "api", .match = "path /", .action = "app"});
  status.upgrades.push_back({"rolled_back", "the successor died", {}});
  EXPECT_THAT(std::string(page_html()), HasSubstr("<!--status-->"));
  const std::string html = page(status, false);
  EXPECT_THAT(html, Not(HasSubstr("<!--status-->")));
  for (const char* text : {"<!DOCTYPE html>", "<td>4711</td>", "<td>1.2.3</td>", "<td>ejected</td>",
                           "<td>5 failures</td>", "<td>api</td>", "<td>the successor died</td>", "</html>"}) {
    EXPECT_THAT(html, HasSubstr(text));
  }
}

TEST(Page, SaysWhetherItsAddressTakesCommandsWithoutAToken) {
  EXPECT_THAT(page(Status{}, true), HasSubstr("<html lang=\"en\" data-commands>"));
  EXPECT_THAT(page(Status{}, false), HasSubstr("<html lang=\"en\">"));
}

TEST(Page, PutsNothingInAsHtml) {
  for (const char* way : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
                          " onclick=", " onload=", "<script src", "@import", "url("}) {
    EXPECT_THAT(std::string(page_html()), Not(HasSubstr(way)));
  }
}

TEST(Page, EscapesWhatComesFromOutside) {
  const std::string hostile = "<script>alert('1' & \"2\")</script>\xff";
  Status status;
  status.version = hostile;
  status.listening.push_back({hostile, hostile});
  status.servers.push_back({.upstream = hostile, .address = hostile, .state = "down", .why = hostile});
  status.routes.push_back({.name = hostile, .match = hostile, .action = hostile});
  status.upgrades.push_back({hostile, hostile, {}});
  status.upgrades[0].report.from.version = hostile;
  status.upgrades[0].report.to.version = hostile;
  const std::string html = status_tables(status);
  EXPECT_THAT(html, Not(HasSubstr("<script>")));
  EXPECT_THAT(html, Not(HasSubstr("\xff")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;"));
}

TEST(Page, RunsItsOwnScriptsAlone) {
  // echo -n 'alert(1)' | openssl dgst -sha256 -binary | base64
  EXPECT_THAT(content_security_policy("<p></p><script>alert(1)</script>"),
              HasSubstr("script-src 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI=';"));
  EXPECT_THAT(content_security_policy("<p></p>"), HasSubstr("default-src 'none'; script-src 'none';"));
}

}  // namespace
}  // namespace baton::admin
