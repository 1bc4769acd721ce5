// Files of other proxies are recognised.
#include <gmock/gmock.h>

#include "config/testing/load.hpp"

namespace baton::config {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string of(const char* program, const char* page) {
  return std::string("this is a configuration of ") + program + ", but Baton reads its own YAML; docs/coming-from-" +
         page + ".md shows how to translate it";
}

TEST(ForeignFiles, OfNginxNameItsPage) {
  EXPECT_THAT(problems_of("# edge\nworker_processes auto;\nevents { }\nhttp {\n  server { listen 80; }\n}\n"),
              ElementsAre("f:2:1: " + of("nginx", "nginx")));
  EXPECT_THAT(problems_of("server {\n  listen 80;\n  location / {\n    proxy_pass http://127.0.0.1:9000;\n  }\n}\n"),
              ElementsAre("f:1:1: " + of("nginx", "nginx")));
  EXPECT_THAT(
      problems_of("map $http_upgrade $up {\n  default upgrade;\n}\nupstream app {\n  server 127.0.0.1:9000;\n}\n"),
      ElementsAre("f:1:1: " + of("nginx", "nginx")));
  EXPECT_THAT(problems_of("map $http_upgrade $up {\n  default upgrade;\n}\n"),
              ElementsAre("f:1:1: " + of("nginx", "nginx")));
  EXPECT_THAT(problems_of("events{}http{server{listen 80;}}\n"), ElementsAre("f:1:1: " + of("nginx", "nginx")));
  EXPECT_THAT(problems_of("load_module modules/x.so;\n"), ElementsAre("f:1:1: " + of("nginx", "nginx")));
}

TEST(ForeignFiles, OfHaproxyNameItsPage) {
  EXPECT_THAT(problems_of("global\n    maxconn 100\n\nfrontend web\n    bind *:80\n    default_backend app\n"),
              ElementsAre("f:1:1: " + of("HAProxy", "haproxy")));
  EXPECT_THAT(problems_of("# x\nfrontend web\n    bind *:80\n"), ElementsAre("f:2:1: " + of("HAProxy", "haproxy")));
}

TEST(ForeignFiles, OfHaproxyMayBeginWithAnySection) {
  for (const char* section : {"resolvers dns\n  nameserver a 127.0.0.1:53\n", "peers us\n  peer a 127.0.0.1:1024\n",
                              "userlist admins\n  user a password b\n", "cache small\n  total-max-size 4\n",
                              "http-errors site\n  errorfile 404 /x\n", "crt-store web\n  crt-base /x\n"}) {
    EXPECT_THAT(problems_of(section), ElementsAre("f:1:1: " + of("HAProxy", "haproxy"))) << section;
  }
}

TEST(ForeignFiles, InTomlAreToldThatItIsYaml) {
  for (const char* toml :
       {"[entryPoints]\n  [entryPoints.web]\n    address = \":80\"\n", "[[http.services]]\nname = \"a\"\n[http]\n"}) {
    EXPECT_THAT(problems_of(toml),
                ElementsAre("f:1:1: this is TOML, but Baton reads YAML; docs/configuration.md shows every key"));
  }
}

TEST(ForeignFiles, OfCaddyNameItsPage) {
  EXPECT_THAT(problems_of("example.com {\n    reverse_proxy localhost:9000\n}\n"),
              ElementsAre("f:2:5: " + of("Caddy", "caddy")));
  EXPECT_THAT(problems_of("localhost\nfile_server\n"), ElementsAre("f:2:1: " + of("Caddy", "caddy")));
  EXPECT_THAT(problems_of("{\"apps\":{\"http\":{\"servers\":{}}}}\n"), ElementsAre("f:1:1: " + of("Caddy", "caddy")));
  EXPECT_THAT(problems_of("\n{\n  \"admin\": {},\n  \"apps\": {}\n}\n"), ElementsAre("f:1:1: " + of("Caddy", "caddy")));
  EXPECT_THAT(problems_of(":8080\n\nreverse_proxy 127.0.0.1:9000\n"), ElementsAre("f:3:1: " + of("Caddy", "caddy")));
}

TEST(ForeignFiles, AreNotOurOwnWithMistakes) {
  for (const std::string& yaml :
       {minimal + "user: www\n", minimal + "listen: 80\n", std::string("listeners\n"), minimal + "global: 1\n",
        minimal + "# server { listen 80; }\nx: 1\n", std::string("version: 1\nlisteners:\n  - server: x\n"),
        std::string("cache\n"), minimal + "cache: x\n", std::string("{ version: 1, apps: 2 }\n"),
        std::string("[ web, app ]\n"), std::string("version: 1\nlisteners:\n[]\n")}) {
    EXPECT_THAT(problems_of(yaml), Each(Not(HasSubstr("this is ")))) << yaml;
  }
}

}  // namespace
}  // namespace baton::config
