// What becomes of a name server's answers: right ones, failures, lies and silence.
#include "proxy/process/dns.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <functional>
#include <map>
#include <thread>
#include <utility>

#include "handoff/unique_fd.hpp"

namespace baton::process {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr int a = 1, aaaa = 28, srv = 33;

std::string number(unsigned value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
}

std::string in_labels(const std::string& name) {
  std::string labels;
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    labels += static_cast<char>(end - begin) + name.substr(begin, end - begin);
    begin = end + 1;
  }
  return labels + std::string(1, '\0');
}

struct Reply {
  int code = 0;
  std::vector<std::string> data{};  // of each record
  bool is_silent = false;
  int lost = 0;           // so many are not answered first
  std::string garbage{};  // instead
};

std::string address4(const std::string& text) {
  std::string bytes(4, '\0');
  EXPECT_EQ(inet_pton(AF_INET, text.c_str(), bytes.data()), 1);
  return bytes;
}
std::string address6(const std::string& text) {
  std::string bytes(16, '\0');
  EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), bytes.data()), 1);
  return bytes;
}
std::string record(unsigned priority, unsigned weight, unsigned port, const std::string& target) {
  return number(priority) + number(weight) + number(port) + in_labels(target);
}

// Answers what it knows, and "no such name" to the rest.
class NameServer {
 public:
  using Replies = std::map<std::pair<std::string, int>, Reply>;

  explicit NameServer(Replies replies)
      : replies_(std::move(replies)), socket_(::socket(AF_INET, SOCK_DGRAM, 0)), stop_(::eventfd(0, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~NameServer() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
  }

  Question about(config::Address address, config::NameFamily family = config::NameFamily::any) const {
    return {std::move(address), family, {{.host = "127.0.0.1", .port = port_}}};
  }
  Answer answer_to(config::Address address, config::NameFamily family = config::NameFamily::any,
                   std::chrono::milliseconds limit = 10s) const {
    const Question question = about(std::move(address), family);
    return ask(std::span(&question, 1), limit).at(0);
  }

 private:
  void serve() {
    for (;;) {
      pollfd polled[] = {{socket_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
      ::poll(polled, 2, -1);
      if (polled[1].revents != 0) return;
      char query[512];
      sockaddr_storage from{};
      socklen_t length = sizeof from;
      const ssize_t size =
          ::recvfrom(socket_.get(), query, sizeof query, 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (size < 17) continue;
      const std::string answer = reply_to({query, static_cast<std::size_t>(size)});
      if (!answer.empty()) {
        ::sendto(socket_.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
      }
    }
  }

  std::string reply_to(const std::string& query) {
    std::string name;
    std::size_t at = 12;
    while (query.at(at) != 0) {
      const auto bytes = static_cast<std::size_t>(query[at]);
      name += (name.empty() ? "" : ".") + query.substr(at + 1, bytes);
      at += bytes + 1;
    }
    const int type = static_cast<unsigned char>(query.at(at + 2));
    const auto known = replies_.find({name, type});
    const Reply reply = known == replies_.end() ? Reply{.code = 3} : known->second;
    if (reply.is_silent || asked_[{name, type}]++ < reply.lost) return {};
    if (!reply.garbage.empty()) return query.substr(0, 2) + reply.garbage;
    std::string answer = query.substr(0, 2) + '\x81' + static_cast<char>(0x80 | reply.code) + number(1) +
                         number(static_cast<unsigned>(reply.data.size())) + number(0) + number(0) +
                         query.substr(12, at + 5 - 12);
    for (const std::string& data : reply.data) {
      answer += number(0xc00c) + number(static_cast<unsigned>(type)) + number(1) + number(0) + number(1) +
                number(static_cast<unsigned>(data.size())) + data;
    }
    return answer;
  }

  const Replies replies_;
  std::map<std::pair<std::string, int>, int> asked_;
  const handoff::UniqueFd socket_, stop_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

std::vector<std::string> texts(const Answer& answer) {
  std::vector<std::string> list;
  for (const state::NamedServer& one : answer.found) list.push_back(one.address.text());
  return list;
}

const config::Address app{.host = "app.test", .port = 80};
const config::Address web{.srv = "_http._tcp.app.test"};

TEST(Dns, ALostPacketIsSentAgainTwiceWithinAnyLimit) {
  for (const auto limit : {1s, 5s}) {
    const NameServer server({{{"app.test", a}, {.data = {address4("192.0.2.1")}, .lost = limit == 1s ? 1 : 2}}});
    EXPECT_THAT(texts(server.answer_to(app, config::NameFamily::ipv4, limit)), ElementsAre("192.0.2.1:80"));
  }
}

TEST(Dns, GivesAllAddressesOfBothFamiliesInOneOrder) {
  const NameServer server(
      {{{"app.test", a}, {.data = {address4("10.0.0.2"), address4("10.0.0.1"), address4("10.0.0.2")}}},
       {{"app.test", aaaa}, {.data = {address6("fd00::1")}}}});
  const Answer answer = server.answer_to(app);
  EXPECT_EQ(answer.failure, "");
  EXPECT_THAT(texts(answer), ElementsAre("10.0.0.1:80", "10.0.0.2:80", "[fd00::1]:80"));
  EXPECT_THAT(texts(server.answer_to(app, config::NameFamily::ipv4)), ElementsAre("10.0.0.1:80", "10.0.0.2:80"));
  EXPECT_THAT(texts(server.answer_to(app, config::NameFamily::ipv6)), ElementsAre("[fd00::1]:80"));
}

TEST(Dns, SaysWhyThereIsNoAddress) {
  const NameServer server({{{"broken.test", a}, {.code = 2}},
                           {{"broken.test", aaaa}, {.code = 2}},
                           {{"empty.test", a}, {}},
                           {{"empty.test", aaaa}, {}},
                           {{"garbage.test", a}, {.garbage = "\x81\x80garbage"}},
                           {{"garbage.test", aaaa}, {.garbage = "\x81"}},
                           {{"short.test", a}, {.data = {"\x0a"}}},
                           {{"short.test", aaaa}, {.data = {"\x0a"}}}});
  for (const char* host : {"none.test", "broken.test", "empty.test", "garbage.test", "short.test"}) {
    const Answer answer = server.answer_to({.host = host, .port = 80}, config::NameFamily::any, 300ms);
    EXPECT_THAT(answer.found, IsEmpty()) << host;
    EXPECT_NE(answer.failure, "") << host;
  }
}

TEST(Dns, ASilentServerDelaysNoOtherQuestionAndIsGivenUp) {
  const NameServer silent({{{"app.test", a}, {.is_silent = true}}, {{"app.test", aaaa}, {.is_silent = true}}});
  const NameServer server({{{"app.test", a}, {.data = {address4("10.0.0.1")}}}, {{"app.test", aaaa}, {}}});
  const std::vector<Question> questions{silent.about(app), server.about(app)};
  const std::vector<Answer> answers = ask(questions, 3s);
  EXPECT_THAT(answers[0].found, IsEmpty());
  EXPECT_NE(answers[0].failure, "");
  EXPECT_THAT(texts(answers[1]), ElementsAre("10.0.0.1:80"));
}

TEST(Dns, SrvRecordsGivePortsWeightsAndBackups) {
  const NameServer server(
      {{{"_http._tcp.app.test", srv},
        {.data = {record(1, 60'000, 81, "one.test"), record(1, 0, 82, "two.test"), record(5, 3, 83, "two.test")}}},
       {{"one.test", a}, {.data = {address4("10.0.0.1"), address4("10.0.0.3")}}},
       {{"one.test", aaaa}, {}},
       {{"two.test", a}, {.data = {address4("10.0.0.2")}}},
       {{"two.test", aaaa}, {}}});
  const Answer answer = server.answer_to(web);
  EXPECT_EQ(answer.failure, "");
  EXPECT_THAT(texts(answer), ElementsAre("10.0.0.1:81", "10.0.0.2:82", "10.0.0.2:83", "10.0.0.3:81"));
  ASSERT_THAT(answer.found, SizeIs(4));
  EXPECT_EQ(answer.found[0].weight, 256u);
  EXPECT_EQ(answer.found[1].weight, 1u);
  EXPECT_EQ(answer.found[2].weight, 3u) << "it is the heaviest of its priority";
  EXPECT_FALSE(answer.found[0].backup);
  EXPECT_FALSE(answer.found[1].backup);
  EXPECT_TRUE(answer.found[2].backup);
}

TEST(Dns, AnSrvTargetThatIsGoneIsLeftOutAndOneThatMayExistIsMissing) {
  const NameServer server(
      {{{"_http._tcp.app.test", srv}, {.data = {record(1, 1, 81, "one.test"), record(1, 1, 82, "gone.test")}}},
       {{"_b._tcp.app.test", srv}, {.data = {record(1, 1, 81, "one.test"), record(1, 1, 82, "broken.test")}}},
       {{"_none._tcp.app.test", srv}, {.data = {record(0, 0, 0, "")}}},
       {{"broken.test", a}, {.code = 2}},
       {{"broken.test", aaaa}, {.code = 2}},
       {{"one.test", a}, {.data = {address4("10.0.0.1")}}},
       {{"one.test", aaaa}, {}}});
  const Answer gone = server.answer_to(web);
  EXPECT_EQ(gone.failure, "");
  EXPECT_THAT(texts(gone), ElementsAre("10.0.0.1:81"));
  const Answer missing = server.answer_to({.srv = "_b._tcp.app.test"});
  EXPECT_NE(missing.failure, "");
  EXPECT_THAT(texts(missing), ElementsAre("10.0.0.1:81"));
  EXPECT_EQ(server.answer_to({.srv = "_none._tcp.app.test"}).failure, "no server is offered");
}

TEST(Dns, ReadsTheHostsFile) {
  const Question question{.address = {.host = "localhost", .port = 80}, .family = config::NameFamily::ipv4};
  EXPECT_THAT(texts(ask(std::span(&question, 1), 10s).at(0)), ElementsAre("127.0.0.1:80"));
}

TEST(Dns, AQuestionIsKnownByItsText) {
  const Question question{
      .address = web, .family = config::NameFamily::ipv6, .nameservers = {{.host = "::1", .port = 53}}};
  EXPECT_EQ(question.text(), "srv:_http._tcp.app.test ipv6 [::1]:53");
}

}  // namespace
}  // namespace baton::process
