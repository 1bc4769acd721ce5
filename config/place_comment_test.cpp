#include "config/place_comment.hpp"

#include <gmock/gmock.h>

#include "config/load.hpp"
#include "config/testing/load.hpp"

namespace baton::config {
namespace {

Config loaded(const std::string& text, const std::string& name) {
  return std::get<Config>(load_text(text, name, test_environment));
}

const std::string three_routes =
    minimal +
    "routes:\n  - name: one\n    match: { path: /a }\n    upstream: app\n  - { match: { path: /b }, respond: {} }\n"
    "\n  - upstream: app\n";

TEST(PlacesOfRoutes, SurviveAHandover) {
  const Config config = loaded(three_routes, "/etc/baton/b:7.yaml");
  ASSERT_EQ(config.routes.size(), 3u);
  const std::string text = print_with_places(config);
  const Config handed_over = loaded(text, "the previous configuration");
  EXPECT_EQ(handed_over, config);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(handed_over.routes[i].where, config.routes[i].where) << i;
    EXPECT_EQ(handed_over.routes[i].where.file, "/etc/baton/b:7.yaml");
  }
  EXPECT_EQ(print_with_places(handed_over), text);
  EXPECT_THAT(print(config), testing::Not(testing::HasSubstr("#")));
}

TEST(PlacesOfRoutes, ThatTheFileDoesNotNameAreTheUpstreams) {
  const Config config = loaded(minimal, "f");
  ASSERT_EQ(config.routes.size(), 1u);
  EXPECT_EQ(loaded(print_with_places(config), "previous").routes.front().where, config.routes.front().where);
}

TEST(PlacesOfRoutes, AFileWhoseNameIsNoCommentIsLeftOut) {
  const Config config = loaded(three_routes, "a\nworkers: 1\n#");
  const std::string text = print_with_places(config);
  EXPECT_EQ(text, print(config));
  EXPECT_EQ(loaded(text, "previous").routes.front().where.file, "previous");
}

TEST(PlacesOfRoutes, AreOnlyReadFromWholeComments) {
  for (const char* comment : {"# at f:1", "# at :1:2", "# at f:0:2", "# at f:1:2x", "# at f:99999999999:1", "# f:1:2",
                              "#at f:1:2", "x # at f:1:2"}) {
    std::vector<Route> routes(1);
    routes.front().where = {.file = "g", .line = 2, .column = 1};
    restore_places(std::string(comment) + "\nroute\n", routes);
    EXPECT_EQ(routes.front().where.file, "g") << comment;
  }
}

}  // namespace
}  // namespace baton::config
