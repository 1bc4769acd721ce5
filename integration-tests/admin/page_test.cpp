// The page at the admin address, in Chromium: while upgrades go well, fail and are rolled back under load.
#include <signal.h>
#include <unistd.h>

#include <boost/json.hpp>

#include <filesystem>

#include "ctl/ctl.hpp"
#include "harness/chromium.hpp"

namespace baton::harness {
namespace {

namespace json = boost::json;

constexpr const char* wrk = "/usr/bin/wrk";
const std::string token = "a-token-of-the-test-0123456789";

Address& page_address() {
  static Address address;
  return address;
}
void with_page(Settings& settings) {
  settings.more_admin = {page_address() = loopback(free_port())};
  // The browser has to see that an upgrade waits.
  settings.handoff = std::regex_replace(settings.handoff, std::regex("finish_timeout: 15s"), "finish_timeout: 60s");
}

class Browser {
 public:
  explicit Browser(const std::string& program)
      : process_(
            {.argv = {"node", PAGE_TESTS "/browser.mjs", program}, .directory = PAGE_PACKAGES, .has_input = true}) {}

  json::value order(const json::object& what) {
    process_.type(json::serialize(what) + "\n");
    const std::string line = process_.await_line(Process::Stream::out, std::regex("^\\{"), patience);
    const json::object answer = json::parse(line).as_object();
    if (answer.contains("error")) throw Failure(json::serialize(what) + ": " + json::serialize(answer));
    return answer.at("value");
  }
  void open(bool javascript = true) { open("http://" + page_address().text() + "/", javascript); }
  void open(const std::string& url, bool javascript) {
    order({{"do", "open"}, {"url", url}, {"javascript", javascript}});
  }
  std::int64_t forward(const std::string& path) {
    return order({{"do", "forward"}, {"to", path}}).to_number<std::int64_t>();
  }
  std::string await(const char* of, const std::string& text) {
    return std::string(order({{"do", "text"}, {"of", of}, {"matches", text}}).as_string());
  }
  void await_gone(const char* of) { order({{"do", "gone"}, {"of", of}}); }
  void await_enabled(const char* of, bool is) { order({{"do", "enabled"}, {"of", of}, {"is", is}}); }
  void click(const char* of) { order({{"do", "click"}, {"of", of}}); }
  void fill(const char* of, const std::string& text) { order({{"do", "fill"}, {"of", of}, {"text", text}}); }
  std::int64_t count(const char* of) { return order({{"do", "count"}, {"of", of}}).to_number<std::int64_t>(); }
  json::object seen() { return order({{"do", "seen"}}).as_object(); }
  // As it is now: with the background's colour.
  std::string expect_no_overflow(int width, bool dark, const std::string& name) {
    const json::object look =
        order({{"do", "look"}, {"width", width}, {"dark", dark}, {"picture", PAGE_PACKAGES "/" + name + ".png"}})
            .as_object();
    EXPECT_LE(look.at("wider").to_number<int>(), 0) << name;
    return std::string(look.at("ground").as_string());
  }
  std::string log() const { return process_.err(); }

 private:
  static constexpr Milliseconds patience = std::chrono::minutes(3);  // longer than the browser's own
  Process process_;
};

class Page : public Ctl {
 protected:
  Page() : Ctl(with_page) {}

  void SetUp() override {
    const std::string program = chromium();
    if (program.empty()) {
      ASSERT_TRUE(chromium_may_be_missing()) << "Chromium is not installed: Debian's package chromium-headless-shell";
      GTEST_SKIP() << "Chromium is not installed";
    }
    if (!std::filesystem::exists(PAGE_PACKAGES "/node_modules")) GTEST_SKIP() << "npm's registry cannot be reached";
    browser.emplace(program);
  }
  void take_token() {
    std::string yaml = read_file(baton.config_path());
    const std::string begin = "admin: { ";
    yaml.insert(yaml.find(begin) + begin.size(), "token: " + token + ", ");
    replace_file(baton.config_path(), yaml);
    expect_done(ctl({"reload"}), "done");
  }
  void restore_binary() { replace_file(baton.binary_path(), read_file(baton_binary()), true); }
  std::string server_state() const {
    const std::string body = Client(admin()).get("/servers").body;
    return std::string(json::parse(body).at("servers").as_array().at(0).at("state").as_string());
  }

  std::optional<Browser> browser;
};

TEST_F(Page, IsOpenThroughUpgradesAFailureAndARollbackOnOneStream) {
  std::optional<Process> load;
  if (::access(wrk, X_OK) == 0) {
    // With pauses, since a full load leaves the browser nothing of a small machine.
    const std::string pauses = baton.directory() / "pauses.lua";
    replace_file(pauses, "function delay() return 10 end\n");
    load.emplace(
        Command{{wrk, "-t1", "-c4", "-d600s", "-s", pauses, "http://" + baton.address().text() + "/bytes/100"}});
  }
  browser->open();
  browser->await("#line_text", "^live$");
  browser->await("#generation", "^1$");
  browser->await("#state_text", "^serving$");
  browser->await("#servers tbody tr", "web/" + origin.address().text());
  browser->await("#upgrades", "None");

  baton.upgrade();
  browser->await("#generation", "^2$");
  browser->await("#news", "Generation 2 took over, PID " + std::to_string(baton.pid()) + ": .* moved");
  const std::string report = browser->await("#upgrades details[open]", "Generation 1 → 2");
  for (const char* part : {"Completed", "Steps", "Started", "Ready", "Connections move", "Done"}) {
    EXPECT_TRUE(contains(report, part)) << part << " is missing: " << report;
  }

  replace_file(baton.binary_path(), "#!/bin/sh\nexit 1\n", true);
  baton.failed_upgrade();
  browser->await("#upgrades summary", "Generation 2 stays");
  browser->await("#news", "generation 2 continues");
  restore_binary();

  expect_done(ctl({"rollback"}), "completed");
  baton.finish_upgrade();
  browser->await("#generation", "^3$");
  browser->await("#upgrades summary", "Generation 2 → 3");

  // One that lasts, as a request in flight delays it.
  Client held = baton.connect();
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.begin_upgrade();
  browser->await("#live_title", "Upgrade in progress: .* as PID [0-9]+");
  browser->await("#live_steps tr", "Connections move[0-9]+ of [0-9]+ have left");
  browser->await("#live_here", "Still here");
  browser->expect_no_overflow(1280, false, "upgrade");
  origin.gate().open();
  baton.finish_upgrade();
  EXPECT_EQ(held.response().body, "held");
  browser->await("#generation", "^4$");
  const std::string moved = browser->await("#upgrades details[open]", "Generation 3 → 4");
  EXPECT_TRUE(contains(moved, "Connections moved")) << moved;
  EXPECT_TRUE(contains(moved, "Pauses")) << moved;
  browser->await_gone("#live");
  EXPECT_EQ(browser->count("#upgrades details"), 4);

  if (load) browser->await("#routes tbody tr", "upstream web[1-9]");
  const std::string light = browser->expect_no_overflow(1280, false, "light");
  EXPECT_NE(browser->expect_no_overflow(1280, true, "dark"), light);
  browser->expect_no_overflow(820, false, "tablet");
  browser->expect_no_overflow(360, false, "phone");
  browser->click("#theme");
  browser->click("#theme");
  EXPECT_NE(browser->expect_no_overflow(360, false, "phone_dark"), light) << "the switch is stronger than the system";

  const json::object seen = browser->seen();
  EXPECT_EQ(seen.at("errors"), json::array());
  EXPECT_EQ(seen.at("streams"), 1) << "it never connected again";
  EXPECT_EQ(seen.at("loads"), 1);
}

TEST_F(Page, SendsCommandsOnlyWithTheToken) {
  browser->open();
  browser->await("#servers button", "^Drain$");
  browser->await_enabled("#servers button", false);
  browser->await("#access", "Read-only");
  take_token();
  browser->await_enabled("#servers button", true);
  EXPECT_EQ(browser->seen().at("errors"), json::array());

  browser->click("#servers button");
  browser->fill("#token", "of-somebody-else-0123456789");
  browser->click("#ask button.main");
  browser->await("#ask_problem", "not the one");
  EXPECT_EQ(server_state(), "up");
  browser->fill("#token", token);
  browser->click("#ask button.main");
  browser->await("#servers tbody td", "drained.*by command");
  EXPECT_EQ(server_state(), "drained");
  browser->await("#servers button", "^Up$");
  browser->expect_no_overflow(360, false, "drained");
  browser->click("#servers button");
  browser->await("#servers button", "^Drain$");
  EXPECT_EQ(server_state(), "up");
  browser->click("#lock");
  browser->click("#servers button");
  browser->await("#ask_title", "token");
  EXPECT_EQ(server_state(), "up");
  EXPECT_EQ(browser->seen().at("streams"), 1);
}

TEST_F(Page, SendsCommandsWithoutATokenThroughAForwardedUnixSocket) {
  take_token();
  const std::int64_t port = browser->forward(baton.directory() / "admin.sock");
  browser->open("http://localhost:" + std::to_string(port) + "/", true);
  browser->await_enabled("#servers button", true);
  browser->click("#servers button");
  browser->await("#servers tbody td", "drained.*by command");
  EXPECT_EQ(server_state(), "drained");
  EXPECT_EQ(browser->seen().at("errors"), json::array());
}

TEST_F(Page, SaysThatItReconnectsAndKeepsWhatItShows) {
  browser->open();
  browser->await("#line_text", "^live$");
  const std::string pid = std::to_string(baton.pid());
  browser->await("#facts", pid);
  baton.signal(SIGKILL);
  ASSERT_EQ(baton.await_exit().signal, SIGKILL);
  browser->await("#line_text", "^reconnecting");
  browser->await("#facts", pid);
  baton.start_again();
  browser->await("#line_text", "^live$");
  browser->await("#facts", std::to_string(baton.pid()));
}

TEST_F(Page, IsTablesWithoutJavaScript) {
  baton.upgrade();
  browser->open(false);
  browser->await("table", "Generation");
  browser->await("table", origin.address().text());
  EXPECT_EQ(browser->count("button:visible"), 0);
  browser->expect_no_overflow(360, false, "without_javascript");
  EXPECT_EQ(browser->seen().at("errors"), json::array());
}

}  // namespace
}  // namespace baton::harness
