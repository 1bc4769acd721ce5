// What the page's server answers and refuses, and what the page is told.
#include <gmock/gmock.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>
#include <regex>

#include "demo/page_demo.hpp"
#include "demo/page_rules.hpp"
#include "demo/page_server.hpp"
#include "demo/page_view.hpp"
#include "demo/proxy_configuration.hpp"

namespace baton::demo {
namespace {

using boost::asio::ip::tcp;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view host = "127.0.0.1:8088";

PageRequest press(std::string_view target) {
  return {
      .method = "POST", .target = target, .host = host, .origin = "http://127.0.0.1:8088", .fetch_site = "same-origin"};
}

TEST(PageRules, KnowEveryPlace) {
  const auto get = [](std::string_view target) { return judge({.method = "GET", .target = target, .host = host}); };
  EXPECT_EQ(get("/"), Asked::page);
  EXPECT_EQ(get("/?from=here"), Asked::page);
  EXPECT_EQ(get("/page/serving"), Asked::serving);
  EXPECT_EQ(get("/page/download"), Asked::download);
  EXPECT_EQ(get("/page/ticks"), Asked::ticks);
  EXPECT_EQ(get("/page/upgrade"), Asked::wrong_method);
  EXPECT_EQ(get("/page/other"), Asked::not_found);
  EXPECT_EQ(judge(press("/page/upgrade")), Asked::upgrade);
  EXPECT_EQ(judge(press("/page/failing-upgrade")), Asked::failing_upgrade);
  EXPECT_EQ(judge(press("/page/dropped")), Asked::dropped);
  EXPECT_EQ(judge(press("/")), Asked::wrong_method);
}

TEST(PageRules, LetNoOtherSitePressAButton) {
  const auto with = [](auto change) {
    PageRequest request = press("/page/upgrade");
    change(request);
    return judge(request);
  };
  EXPECT_EQ(with([](PageRequest& r) { r.origin = ""; }), Asked::foreign);
  EXPECT_EQ(with([](PageRequest& r) { r.origin = "null"; }), Asked::foreign);
  EXPECT_EQ(with([](PageRequest& r) { r.origin = "http://evil.example"; }), Asked::foreign);
  EXPECT_EQ(with([](PageRequest& r) { r.origin = "http://127.0.0.1:80"; }), Asked::foreign);
  EXPECT_EQ(with([](PageRequest& r) { r.origin = "http://127.0.0.1:8088.evil.example"; }), Asked::foreign);
  EXPECT_EQ(with([](PageRequest& r) { r.fetch_site = "cross-site"; }), Asked::foreign);
  EXPECT_EQ(with([](PageRequest& r) { r.fetch_site = "same-site"; }), Asked::foreign);
  EXPECT_EQ(with([](PageRequest& r) { r.host = "", r.origin = "http://"; }), Asked::foreign);
  EXPECT_EQ(with([](PageRequest& r) { r.fetch_site = ""; }), Asked::upgrade) << "an older browser";
}

TEST(PageRules, LetNoNameOfAnotherSiteLeadHere) {
  const auto by = [](std::string_view name, std::string_view origin) {
    PageRequest request = press("/page/upgrade");
    request.host = name;
    request.origin = origin;
    return judge(request);
  };
  EXPECT_EQ(by("evil.example:8088", "http://evil.example:8088"), Asked::foreign);
  EXPECT_EQ(by("localhost.evil.example", "http://localhost.evil.example"), Asked::foreign);
  EXPECT_EQ(by("localhost:8088", "http://localhost:8088"), Asked::upgrade);
  EXPECT_EQ(by("localhost", "http://localhost"), Asked::upgrade);
  EXPECT_EQ(by("[::1]:8088", "http://[::1]:8088"), Asked::upgrade);
  EXPECT_EQ(by("10.0.0.1", "https://10.0.0.1"), Asked::upgrade);
}

TEST(PageRules, KeepTheWebSocketToThePage) {
  const auto by = [](std::string_view origin) {
    return judge({.method = "GET", .target = "/page/ticks", .host = host, .origin = origin});
  };
  EXPECT_EQ(by("http://127.0.0.1:8088"), Asked::ticks);
  EXPECT_EQ(by(""), Asked::ticks) << "no browser";
  EXPECT_EQ(by("http://evil.example"), Asked::foreign);
}

TEST(PageRules, NumberTheLinesOfTheDownload) {
  EXPECT_EQ(download_lines(0, 2), "000000000000000\n000000000000001\n");
  EXPECT_EQ(download_lines(999'999, 1), "000000000999999\n");
  EXPECT_EQ(download_lines(5, 100).size(), 100 * download_line_bytes);
}

TEST(PageEndpoint, ReadsWhatIsWritten) {
  const auto text = [](std::string_view address) {
    const tcp::endpoint endpoint = page_endpoint(address);
    return endpoint.address().to_string() + " " + std::to_string(endpoint.port());
  };
  EXPECT_EQ(text("127.0.0.1:18088"), "127.0.0.1 18088");
  EXPECT_EQ(text("18088"), "127.0.0.1 18088");
  EXPECT_EQ(text(":18088"), "127.0.0.1 18088");
  EXPECT_EQ(text("localhost:18088"), "127.0.0.1 18088");
  EXPECT_EQ(text("0.0.0.0:18088"), "0.0.0.0 18088");
  EXPECT_EQ(text("[::1]:18088"), "::1 18088");
  EXPECT_NE(page_endpoint("").port(), 0);
  EXPECT_NE(page_endpoint("127.0.0.1").port(), 0);
  for (const char* wrong :
       {"here", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:99999", "127.0.0.1:0", "0", "a:1", ":", "::"}) {
    if (std::string_view(wrong) == "::") continue;  // every address of IPv6, if this machine has it
    EXPECT_THROW(page_endpoint(wrong), std::runtime_error) << wrong;
  }
}

TEST(PageEndpoint, TakesAnotherPortIfTheUsualOneIsTaken) {
  boost::asio::io_context context;
  boost::system::error_code error;  // another program may have it
  tcp::acceptor usual(context, tcp::v4());
  usual.bind({boost::asio::ip::address_v4::loopback(), 8088}, error);
  if (!error) usual.listen(1, error);
  EXPECT_NE(page_endpoint("").port(), 8088);
}

TEST(PageView, CountsWhatClientsAndPagesHaveLost) {
  PageView view;
  view.clients.trouble[static_cast<std::size_t>(Trouble::wrong_answer)] = 1;
  view.clients.trouble[static_cast<std::size_t>(Trouble::closed_between)] = 2;
  view.dropped_by_pages = 4;
  EXPECT_EQ(boost::json::parse(to_json(view)).at("dropped"), 7);
}

TEST(PageView, SaysWhereNginxIsMissing) {
  PageView view;
  view.no_nginx = no_nginx_found();
  const auto missing = boost::json::parse(to_json(view)).at("nginx").at("missing").as_string();
  EXPECT_THAT(std::string(missing), HasSubstr("apt-get install nginx"));
  view.nginx = BesideView{.version = "nginx/1.2.3", .live = 50, .cut = 44, .reloads = 1, .old_workers = 1};
  EXPECT_EQ(boost::json::parse(to_json(view)).at("nginx"),
            boost::json::parse(R"({"version":"nginx/1.2.3","live":50,"cut":44,"reloads":1,"old_workers":1})"));
}

TEST(PageConfiguration, NamesTheVersionInAnswersToThePageOnly) {
  const tcp::endpoint some(boost::asio::ip::make_address("127.0.0.1"), 1234);
  ProxySettings settings{
      .listen = {some, some, some, some}, .origin = {some, some, some, some}, .certificate = {"c", "k"}};
  EXPECT_THAT(configuration(settings), testing::Not(HasSubstr(colour_field)));
  settings.page = PageDoors{.listen = some, .server = some, .colour = "green"};
  const std::string text = configuration(settings);
  const std::regex route(
      "match: \\{ path[^}]*\\}, upstream: page, response_headers: \\{ set: \\{ Baton-Demo-Colour: green \\}");
  EXPECT_EQ(std::distance(std::sregex_iterator(text.begin(), text.end(), route), std::sregex_iterator()), 2) << text;
}

// The server, asked without a proxy.
class PageServerTest : public testing::Test {
 protected:
  // The answer's head; the connection stays.
  std::string ask(const std::string& head, const std::string& body = "") {
    if (!socket_.is_open()) socket_.connect(server_.endpoint());
    boost::asio::write(socket_, boost::asio::buffer(head + "\r\n" + body));
    return read_until("\r\n\r\n");
  }
  std::string press(const std::string& target, const std::string& body = "") {
    return ask("POST " + target + " HTTP/1.1\r\nHost: 127.0.0.1:8088\r\nOrigin: http://127.0.0.1:8088\r\n" +
                   "Content-Length: " + std::to_string(body.size()) + "\r\n",
               body);
  }
  std::string read_until(const std::string& end) {
    const std::size_t bytes = boost::asio::read_until(socket_, boost::asio::dynamic_buffer(received_), end);
    std::string text = received_.substr(0, bytes);
    received_.erase(0, bytes);
    return text;
  }
  void forget_body() { socket_.close(), received_.clear(); }

  PageServer server_;
  boost::asio::io_context context_;
  tcp::socket socket_{context_};
  std::string received_;
};

TEST_F(PageServerTest, ServesThePageWithNothingFromElsewhere) {
  const std::string head = ask("GET / HTTP/1.1\r\nHost: 127.0.0.1:8088\r\n");
  EXPECT_THAT(head, HasSubstr("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Security-Policy: default-src 'none'"));
  EXPECT_THAT(read_until("</html>\n"), HasSubstr("<title>Baton"));
  EXPECT_THAT(std::string(page_html()), testing::Not(testing::ContainsRegex("(src|href)=\"?(https?:)?//")));
}

TEST_F(PageServerTest, KeepsOneCommandOfEachKind) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(press("/page/upgrade"), HasSubstr(" 202 "));
    forget_body();
    EXPECT_THAT(press("/page/failing-upgrade"), HasSubstr(" 202 "));
    forget_body();
  }
  EXPECT_TRUE(server_.has_command());
  EXPECT_EQ(server_.take_command(), Asked::upgrade);
  EXPECT_EQ(server_.take_command(), Asked::failing_upgrade);
  EXPECT_EQ(server_.take_command(), std::nullopt);
}

TEST_F(PageServerTest, RefusesCommandsOfOtherSites) {
  EXPECT_THAT(ask("POST /page/upgrade HTTP/1.1\r\nHost: 127.0.0.1:8088\r\nContent-Length: 0\r\n"), HasSubstr(" 403 "));
  forget_body();
  EXPECT_THAT(ask("POST /page/upgrade HTTP/1.1\r\nHost: 127.0.0.1:8088\r\nOrigin: http://127.0.0.1:8088\r\n"
                  "Sec-Fetch-Site: cross-site\r\nContent-Length: 0\r\n"),
              HasSubstr(" 403 "));
  EXPECT_FALSE(server_.has_command());
}

TEST_F(PageServerTest, TakesLossesAsOneLineEach) {
  EXPECT_THAT(press("/page/dropped", "its WebSocket\n\x1b[2J was closed"), HasSubstr(" 200 "));
  forget_body();
  EXPECT_THAT(press("/page/dropped", std::string(2048, 'x')), HasSubstr(" 200 "));
  EXPECT_THAT(server_.take_losses(), ElementsAre("its WebSocket  [2J was closed", std::string(200, 'x')));
  EXPECT_THAT(server_.take_losses(), ElementsAre());
}

TEST_F(PageServerTest, EndsTheDownloadWithTheDemo) {
  EXPECT_THAT(ask("GET /page/download HTTP/1.1\r\nHost: 127.0.0.1:8088\r\n"), HasSubstr("Transfer-Encoding: chunked"));
  EXPECT_THAT(read_until("\n000000000000300\n"), HasSubstr("000000000000255\n\r\n1000\r\n000000000000256\n"));
  EXPECT_EQ(server_.streams(), 1u);
  server_.end("{}");
  read_until("\r\n0\r\n\r\n");
}

}  // namespace
}  // namespace baton::demo
