// Twenty upgrades back to back between two binaries of different versions: every kind of connection is opened before
// the first and verified byte by byte until after the last.
#include <gtest/gtest.h>

#include <filesystem>
#include <list>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

constexpr int upgrades = 20;

// Puts `binary` where the next successor is started from: one rename, as a package manager does it.
void install(const std::string& binary, const Baton& baton) {
  const std::string beside = baton.binary_path() + ".new";
  std::filesystem::copy_file(binary, beside, std::filesystem::copy_options::overwrite_existing);
  std::filesystem::rename(beside, baton.binary_path());
}

class ForwardAndBack : public testing::Test {
 protected:
  static Settings settings(const Origin& origin) {
    Settings settings(origin.address());
    settings.own_binary = true;
    settings.handoff += ", finish_timeout: 50ms";
    return settings;
  }

  // Another upgrade, to the other version. Its report names both.
  void upgrade(int turn) {
    install(turn % 2 == 0 ? BATON_OTHER_VERSION : baton_binary(), baton);
    const std::string report = baton.upgrade();
    EXPECT_NE(report.find(turn % 2 == 0 ? "to 0.0.9-other" : "version 0.0.9-other to"), std::string::npos) << report;
    EXPECT_NE(report.find("taken_back=0, refused=0"), std::string::npos) << report;
  }

  Origin origin;
  Baton baton{settings(origin)};
};

TEST_F(ForwardAndBack, EveryKindOfConnectionLivesThroughTwentyUpgrades) {
  Client idle = baton.connect();
  idle.get("/bytes/1");
  const std::string request = get_request("/bytes/30");
  Client head = baton.connect();
  Client download = baton.connect();
  const std::string body = pattern(20'000'000);
  download.send(get_request("/bytes/20000000"));
  read_head(download);
  std::string downloaded;
  Client upload = baton.connect();
  const std::string uploaded = post_request("/count", pattern(2'100'000));
  const std::size_t upload_piece = uploaded.size() / (upgrades + 2);
  Client websocket = baton.connect();
  ASSERT_EQ(websocket.get("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n").status(), 101);
  Client waiting = baton.connect();
  waiting.send(get_request("/held"));
  origin.gate().await_arrivals(1);

  std::size_t head_sent = 0;
  std::size_t upload_sent = 0;
  for (int turn = 0; turn < upgrades; ++turn) {
    head.send(request.substr(head_sent++, 1));
    upload.send(std::string_view(uploaded).substr(upload_sent, upload_piece));
    upload_sent += upload_piece;
    downloaded += download.read_exactly(100'000);
    upgrade(turn);
    EXPECT_EQ(idle.get("/bytes/" + std::to_string(turn + 1)).body, pattern(static_cast<std::size_t>(turn) + 1));
    const std::string said = "turn " + std::to_string(turn);
    websocket.send(said);
    EXPECT_EQ(websocket.read_exactly(said.size()), said);
  }

  head.send(std::string_view(request).substr(head_sent));
  EXPECT_EQ(head.response().body, pattern(30));
  upload.send(std::string_view(uploaded).substr(upload_sent));
  EXPECT_EQ(upload.response().body, "2100000 as sent");
  downloaded += download.read_exactly(body.size() - downloaded.size());
  EXPECT_TRUE(downloaded == body);
  origin.gate().open();
  EXPECT_EQ(waiting.response().body, "held");
  websocket.half_close();
  websocket.expect_fin();
  EXPECT_EQ(baton.number("accepted_total"), 6);
  EXPECT_EQ(baton.number("generation"), upgrades + 1);
}

}  // namespace
}  // namespace baton::harness
