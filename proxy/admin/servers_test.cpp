#include "proxy/admin/servers.hpp"

#include <gtest/gtest.h>

#include <string>

namespace baton::admin {
namespace {

TEST(ServerCommand, NamesAServerAndWhatToDo) {
  const auto drain = read_server_command(R"({"server":"app/127.0.0.1:9000","order":"drain"})");
  ASSERT_TRUE(drain) << drain.error();
  EXPECT_EQ(drain->upstream, "app");
  EXPECT_EQ(drain->address, "127.0.0.1:9000");
  EXPECT_EQ(drain->what, ServerCommand::What::drain);
  const auto weight = read_server_command(R"({"server":"app/unix:/run/a/b.sock","weight":7})");
  ASSERT_TRUE(weight) << weight.error();
  EXPECT_EQ(weight->address, "unix:/run/a/b.sock");
  EXPECT_EQ(weight->weight, 7U);
}

TEST(ServerCommand, IsRefusedInAnyOtherForm) {
  for (const char* body :
       {"", "[]", "{", R"({"server":"app/a"})", R"({"server":"app","order":"up"})", R"({"server":1,"order":"up"})",
        R"({"server":"app/a","order":"off"})", R"({"server":"app/a","order":1})", R"({"server":"app/a","weight":0})",
        R"({"server":"app/a","weight":257})", R"({"server":"app/a","weight":"5"})",
        R"({"server":"app/a","order":"up","weight":5})", R"({"order":"up","weight":5})"}) {
    const auto command = read_server_command(body);
    EXPECT_FALSE(command) << body;
    EXPECT_FALSE(!command && command.error().empty()) << body;
  }
}

TEST(Servers, AreJsonWhateverTheyAreCalled) {
  EXPECT_EQ(servers_json({}), R"({"servers":[]})");
  const std::string json = servers_json({{.upstream = "a\"b", .address = "x\xff", .state = "up", .requests_total = 3}});
  EXPECT_NE(json.find(R"("upstream":"a\"b")"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("requests_total":3)"), std::string::npos) << json;
}

}  // namespace
}  // namespace baton::admin
