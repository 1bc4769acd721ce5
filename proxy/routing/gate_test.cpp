#include "proxy/routing/gate.hpp"

#include <gtest/gtest.h>

namespace baton::routing {
namespace {

state::SocketAddress ipv4(std::array<std::uint8_t, 4> bytes) {
  state::SocketAddress address{.family = state::Family::ipv4};
  std::ranges::copy(bytes, address.ip.begin());
  return address;
}

config::Network network(std::string_view text) {
  return config::parse_network(text).value();
}

TEST(Gate, IsNoneWhereTheRouteSaysNothing) {
  EXPECT_EQ(make_gate({}, {}), nullptr);
}

TEST(Gate, DenyWinsOverAllow) {
  const config::Access access{.allow = std::vector{network("10.0.0.0/8")}, .deny = {network("10.6.6.0/24")}};
  const auto gate = make_gate({.access = access}, {});
  EXPECT_TRUE(gate->admits(ipv4({10, 1, 2, 3})));
  EXPECT_FALSE(gate->admits(ipv4({10, 6, 6, 3})));
  EXPECT_FALSE(gate->admits(ipv4({11, 1, 2, 3})));
  EXPECT_FALSE(gate->admits({.family = state::Family::unix_path})) << "it has no address";
}

TEST(Gate, AdmitsEveryoneElseIfItOnlyDenies) {
  const auto gate = make_gate({.access = {.deny = {network("10.0.0.0/8")}}}, {});
  EXPECT_FALSE(gate->admits(ipv4({10, 1, 2, 3})));
  EXPECT_TRUE(gate->admits(ipv4({11, 1, 2, 3})));
  EXPECT_TRUE(gate->admits({.family = state::Family::unix_path}));
}

TEST(Gate, AnswersWithAFileByItsType) {
  const Files files{.contents = {{"/a/page.HTML", state::share("<p>")}}};
  const auto gate =
      make_gate({.respond = config::Respond{.status = 503, .file = config::File{"/a/page.HTML", {}}}}, files);
  ASSERT_TRUE(gate->answer);
  EXPECT_EQ(gate->answer->status, 503);
  EXPECT_EQ(*gate->answer->body, "<p>");
  EXPECT_EQ(gate->answer->content_type, "text/html; charset=utf-8");
}

TEST(Gate, GuessesNoTypeFromAFolder) {
  EXPECT_EQ(media_type_of("/a.css/page"), "application/octet-stream");
  EXPECT_EQ(media_type_of("/a/.css"), "text/css; charset=utf-8");
  EXPECT_EQ(media_type_of("/a/b.tar.unknown"), "application/octet-stream");
}

TEST(Gate, RedirectsByAField) {
  const auto gate = make_gate({.redirect = config::Redirect{"https://b.example/", 308}}, {});
  EXPECT_EQ(gate->answer->fields, "Location: https://b.example/\r\n");
  EXPECT_EQ(gate->answer->status, 308);
}

}  // namespace
}  // namespace baton::routing
