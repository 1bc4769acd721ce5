// The page of `baton demo --page`, as a scripted visitor sees it.
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>

#include "demo_page/page_demo.hpp"

namespace baton::harness {
namespace {

using boost::json::object;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* nginx_program = "/usr/sbin/nginx";

std::string text(const boost::json::value& value) {
  return std::string(value.as_string());
}

bool has_all(const object& state) {
  return !state.at("load").at("clients").is_null() && state.at("load").at("clients").to_number<int>() >= 40 &&
         !state.at("busy").as_bool();
}

// The page's download, chunk by chunk. Every line is its number.
class Download {
 public:
  explicit Download(const PageDemo& demo) : client_(demo.address()) {
    client_.send("GET /page/download HTTP/1.1\r\nHost: " + demo.address().text() + "\r\n\r\n");
    const std::string head = client_.read_through("\r\n\r\n");
    if (!head.starts_with("HTTP/1.1 200 ")) throw Failure("no download: " + head);
  }

  // Reads so many lines more. False: it has ended as it should.
  bool read(unsigned lines) {
    for (; lines > 0; --lines) {
      while (received_.size() < 16) {
        const std::string size = client_.read_through("\r\n");
        const std::size_t bytes = std::stoul(size, nullptr, 16);
        received_ += client_.read_exactly(bytes);
        if (client_.read_exactly(2) != "\r\n") throw Failure("a chunk without an end");
        if (bytes == 0) return false;
      }
      char due[17];
      std::snprintf(due, sizeof due, "%015u\n", line_++);
      if (received_.substr(0, 16) != due) throw Failure("line " + received_.substr(0, 16) + " for " + due);
      received_.erase(0, 16);
    }
    return true;
  }

 private:
  Client client_;
  std::string received_;
  unsigned line_ = 0;
};

TEST(DemoPage, StaysWholeThroughUpgradesAndAFailingOneWhileNginxBreaks) {
  PageDemo demo;
  Client visitor(demo.address());
  const Response page = visitor.get("/");
  EXPECT_THAT(page.body, HasSubstr("<title>Baton"));
  EXPECT_EQ(page.field("Baton-Demo-Colour"), "blue");
  Ticks ticks(demo);
  Download download(demo);
  const object first = ticks.await(has_all);
  EXPECT_EQ(text(first.at("serving").at("colour")), "blue");
  const int pid = first.at("serving").at("pid").to_number<int>();
  EXPECT_EQ(first.at("upgrades"), 0);

  // An upgrade, to a program that says another version.
  EXPECT_EQ(demo.press("upgrade"), 202);
  const object green = ticks.await([](const object& state) { return state.at("upgrades") == 1 && has_all(state); });
  EXPECT_EQ(text(green.at("serving").at("colour")), "green");
  EXPECT_EQ(text(green.at("serving").at("version")), text(first.at("serving").at("version")) + "-green");
  EXPECT_EQ(green.at("serving").at("generation"), 2);
  const int green_pid = green.at("serving").at("pid").to_number<int>();
  EXPECT_NE(green_pid, pid);
  EXPECT_EQ(visitor.get("/page/serving").field("Baton-Demo-Colour"), "green") << "on the same connection";
  const auto& upgraded = green.at("events").at(0);
  EXPECT_EQ(text(upgraded.at("kind")), "upgrade");
  EXPECT_THAT(text(upgraded.at("detail")),
              StartsWith("PID " + std::to_string(pid) + " to " + std::to_string(green_pid)));
  download.read(1000);

  // A failing one comes back.
  EXPECT_EQ(demo.press("failing-upgrade"), 202);
  const object back = ticks.await([](const object& state) { return state.at("came_back") == 1 && has_all(state); });
  EXPECT_EQ(back.at("serving").at("pid"), green_pid);
  EXPECT_EQ(back.at("serving").at("generation"), 2);
  const auto& failed = back.at("events").at(0);
  EXPECT_EQ(text(failed.at("kind")), "came_back");
  EXPECT_THAT(text(failed.at("detail")), HasSubstr(" was started and failed: cannot listen on 127.0.0.1:"));
  EXPECT_EQ(visitor.get("/page/serving").field("Baton-Demo-Colour"), "green");
  download.read(1000);

  // And back to the first version.
  EXPECT_EQ(demo.press("upgrade"), 202);
  const object blue = ticks.await([](const object& state) { return state.at("upgrades") == 2 && has_all(state); });
  EXPECT_EQ(blue.at("serving").at("version"), first.at("serving").at("version"));
  EXPECT_EQ(visitor.get("/page/serving").field("Baton-Demo-Colour"), "blue");
  download.read(1000);

  if (::access(nginx_program, X_OK) == 0) {
    // Of its 50 clients, 40 are always asking and 8 are idle. Meanwhile others have connected anew.
    const object cut =
        ticks.await([](const object& state) { return state.at("nginx").at("cut").to_number<int>() >= 40; });
    EXPECT_EQ(cut.at("nginx").at("reloads"), 2);
    EXPECT_THAT(text(cut.at("nginx").at("version")), StartsWith("nginx/"));
    ticks.await([](const object& state) { return state.at("nginx").at("live").to_number<int>() >= 40; });
  } else {
    EXPECT_THAT(text(blue.at("nginx").at("missing")), HasSubstr("apt-get install nginx"));
  }

  demo.process().signal(SIGINT);
  const object last = ticks.await([](const object& state) { return !state.at("ended").is_null(); });
  EXPECT_TRUE(last.at("ended").at("passed").as_bool()) << last;
  EXPECT_EQ(ticks.closing_code(), 1001u);
  EXPECT_FALSE(download.read(1'000'000));
  EXPECT_EQ(demo.process().await_exit(3 * wait_max).code, 0) << demo.process().out();
  EXPECT_THAT(demo.process().out(),
              HasSubstr("PASSED: nothing was dropped.\n  2 upgrades, and 1 meant to fail; 40 connections "
                        "lived through all of them"));
}

TEST(DemoPage, FailsIfAPageHasLostSomething) {
  PageDemo demo({"--no-nginx"});
  Ticks ticks(demo);
  EXPECT_EQ(text(ticks.await(has_all).at("nginx").at("missing")), "nginx is left out (--no-nginx).");
  EXPECT_EQ(demo.post("dropped", "its WebSocket", demo.origin()), 200);
  demo.process().await_line(Process::Stream::out, std::regex("A page reports: its WebSocket"));
  object state = ticks.next();
  while (state.at("dropped") == 0) state = ticks.next();
  EXPECT_EQ(state.at("dropped"), 1);
  EXPECT_EQ(demo.stop(), 1);
  EXPECT_THAT(demo.process().out(), HasSubstr("FAILED:\n  A page reports: its WebSocket.\n"));
}

TEST(DemoPage, EndsByItselfAfterItsTime) {
  PageDemo demo({"--no-nginx", "--for", "100ms"});
  EXPECT_EQ(demo.process().await_exit(3 * wait_max).code, 0) << demo.process().out();
  EXPECT_THAT(demo.process().out(), HasSubstr("PASSED"));
}

TEST(DemoPage, TakesASignalThatIsRepeatedAtOnceForOne) {
  PageDemo demo({"--no-nginx"});
  Ticks(demo).await(has_all);
  demo.process().signal(SIGINT);
  EXPECT_EQ(demo.stop(), 0) << demo.process().out();
}

TEST(DemoPage, ObeysNoOtherSite) {
  PageDemo demo({"--no-nginx"});
  EXPECT_EQ(demo.post("upgrade", "", "http://evil.example"), 403);
  EXPECT_EQ(demo.post("upgrade", "", ""), 403);
  Ticks ticks(demo);
  EXPECT_EQ(ticks.await(has_all).at("upgrades"), 0);
  EXPECT_EQ(demo.stop(), 0) << demo.process().out();
  EXPECT_THAT(demo.process().out(), HasSubstr("  0 upgrades, and 0 meant to fail;"));
}

TEST(DemoPage, RefusesWhatItDoesNotUnderstand) {
  const Outcome address = run_baton({"demo", "--page=nowhere"});
  EXPECT_EQ(address.code, 1);
  EXPECT_THAT(address.out, HasSubstr("`nowhere` is not an address of --page"));
  EXPECT_EQ(run_baton({"demo", "--for", "60s"}).code, 2) << "without a page";
  EXPECT_EQ(run_baton({"demo", "--page", "--upgrades", "3"}).code, 2) << "visitors decide";
  EXPECT_EQ(run_baton({"demo", "--page", "--for", "60 parsecs"}).code, 2);
}

}  // namespace
}  // namespace baton::harness
