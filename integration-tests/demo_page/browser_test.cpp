// The page of `baton demo --page` in a headless Chromium, which is driven through its pipe (Chrome DevTools Protocol).
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "demo_page/page_demo.hpp"

namespace baton::harness {
namespace {

using boost::json::object;
using boost::json::value;

// How Debian calls it, and others. Empty: it is not installed.
std::string chromium() {
  for (const std::string name : {"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"}) {
    const Outcome found = run({{"/bin/sh", "-c", "command -v " + name}});
    if (found.code == 0) return found.out.substr(0, found.out.find('\n'));
  }
  return "";
}

class Browser {
 public:
  // The protocol's pipes are its descriptors 3 and 4.
  explicit Browser(const std::string& program)
      : process_(
            {.argv = {"/bin/sh", "-c", "exec \"$@\" 3<&0 4>&1", "sh", program, "--headless", "--no-sandbox",
                      "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run",
                      "--no-proxy-server", "--remote-debugging-pipe", "--user-data-dir=" + directory_ / "profile"},
             .environment = {"HOME=" + directory_.path()},
             .has_input = true}) {}

  void open(const std::string& url) {
    const value target = call("Target.createTarget", {{"url", url}}).at("targetId");
    session_ = std::string(
        call("Target.attachToTarget", {{"targetId", target}, {"flatten", true}}).at("sessionId").as_string());
  }

  // The value of a JavaScript expression in the page.
  value evaluate(const std::string& expression) {
    const object answer = call("Runtime.evaluate", {{"expression", expression}, {"returnByValue", true}});
    if (answer.contains("exceptionDetails")) return nullptr;  // the page is not loaded yet
    const object& result = answer.at("result").as_object();
    return result.contains("value") ? result.at("value") : value(nullptr);
  }

  void await_true(const std::string& expression) {
    const auto so = [&] { return evaluate(expression) == true; };
    if (!comes_true(so, 3 * wait_max)) throw Failure(expression + "\n" + process_.err());
  }

 private:
  object call(const std::string& method, object parameters) {
    object message{{"id", ++id_}, {"method", method}, {"params", std::move(parameters)}};
    if (!session_.empty()) message["sessionId"] = session_;
    process_.type(serialize(message) + '\0');
    const Deadline deadline(3 * wait_max);
    for (;;) {
      const std::string out = process_.out();
      for (std::size_t end; (end = out.find('\0', read_)) != std::string::npos;) {
        const object answer = boost::json::parse(std::string_view(out).substr(read_, end - read_)).as_object();
        read_ = end + 1;
        if (answer.contains("id") && answer.at("id") == id_) return result_of(answer);
      }
      if (deadline.passed()) throw Failure("no answer to " + method + "\n" + process_.err());
      ::usleep(20'000);
    }
  }

  static object result_of(const object& answer) {
    if (!answer.contains("result")) throw Failure(serialize(answer));
    return answer.at("result").as_object();
  }

  TempDir directory_;
  Process process_;
  std::string session_;
  int id_ = 0;
  std::size_t read_ = 0;
};

TEST(DemoPageInABrowser, SeesNothingButTheColourChange) {
  const std::string program = chromium();
  if (program.empty()) GTEST_SKIP() << "Chromium is not installed";
  PageDemo demo({"--no-nginx"});
  Browser browser(program);
  browser.open(demo.origin() + "/");
  browser.await_true("state !== null && seen.ticks > 0 && seen.bytes > 0 && seen.colours.blue > 0 && !state.busy");
  EXPECT_EQ(browser.evaluate("document.body.dataset.colour"), "blue");
  browser.evaluate("document.getElementById('upgrade').click()");
  browser.await_true("document.body.dataset.colour === 'green' && seen.colours.green > 0 && !state.busy");
  browser.evaluate("document.getElementById('failing').click()");
  browser.await_true("document.querySelector('#events .came_back') !== null && !state.busy");
  EXPECT_EQ(browser.evaluate("document.body.dataset.colour"), "green");
  browser.evaluate("document.getElementById('upgrade').click()");
  browser.await_true("document.body.dataset.colour === 'blue' && state.upgrades === 2 && !state.busy");
  browser.await_true("seen.upgrades_of_socket === 2 && seen.upgrades_of_download === 2");
  EXPECT_EQ(browser.evaluate("document.getElementById('dropped').textContent"), "0");
  EXPECT_EQ(browser.evaluate("seen.losses.length"), 0);
  EXPECT_EQ(browser.evaluate("document.getElementById('nginx-life').textContent"), "nginx is left out (--no-nginx).");
  EXPECT_EQ(browser.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), true);

  EXPECT_EQ(demo.stop(), 0) << demo.process().out();
  browser.await_true("document.getElementById('message').textContent.startsWith('PASSED: nothing was dropped.')");
  EXPECT_EQ(browser.evaluate("seen.losses.length"), 0);
}

// A page counts what it loses itself: here its server's answers are not the expected ones.
TEST(DemoPageInABrowser, ReportsWhatItLoses) {
  const std::string program = chromium();
  if (program.empty()) GTEST_SKIP() << "Chromium is not installed";
  PageDemo demo({"--no-nginx"});
  Browser browser(program);
  browser.open(demo.origin() + "/");
  browser.await_true("seen.ticks > 0");
  browser.evaluate("seen.ticks += 1");
  browser.await_true("document.getElementById('dropped').textContent === '1' && seen.losses.length === 1");
  EXPECT_EQ(demo.stop(), 1) << demo.process().out();
  EXPECT_NE(demo.process().out().find("A page reports: its WebSocket: tick "), std::string::npos);
}

}  // namespace
}  // namespace baton::harness
