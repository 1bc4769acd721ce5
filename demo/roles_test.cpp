// The parts of the demo that run in containers: the clients directly against the built-in origin, and the certificate.
#include "demo/roles.hpp"
#include "demo/tally.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "demo/origin.hpp"
#include "demo/temp_dir.hpp"

namespace baton::demo {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class ClientsOf : public testing::Test {
 protected:
  ClientsRole role_for(const Origin& origin) {
    const Endpoints& doors = origin.endpoints();
    return {.hosts = {"127.0.0.1"},
            .ca = store(origin.certificate(), dir_.file("origin")).certificate,
            .name = origin.certificate().host,
            .http_port = doors.http.port(),
            .tls_port = doors.tls_http.port(),
            .tcp_port = doors.tcp.port()};
  }

  TempDir dir_;
  std::ostringstream answers_;
};

TEST_F(ClientsOf, AnHonestOriginAnswerEachQuestionAndAreWhole) {
  const Origin origin;
  std::istringstream questions("\n\n");
  EXPECT_EQ(run(role_for(origin), questions, answers_), 0);
  const std::string rest = ": 34 clients, one connection each, [0-9]+\\.[0-9] MB compared\n";
  EXPECT_THAT(answers_.str(), MatchesRegex("ready" + rest + "alive" + rest + "alive" + rest + "whole" + rest));
}

TEST_F(ClientsOf, ALyingOriginSayWhatTheyNoticed) {
  std::atomic<int> count = 0;
  const Origin origin([&](std::string_view target) {
    Reply reply = honest_reply(target);
    if (++count == 50) reply.body.back() = ' ';
    return reply;
  });
  std::istringstream questions(std::string(1000, '\n'));
  EXPECT_EQ(run(role_for(origin), questions, answers_), 1);
  EXPECT_THAT(answers_.str(), HasSubstr("FAILED "));
  EXPECT_THAT(answers_.str(), HasSubstr("a body with other bytes\n"));
}

TEST_F(ClientsOf, AnotherServerThanTheCertificatesDoNotConnect) {
  const Origin origin;
  ClientsRole role = role_for(origin);
  role.name = "another.test";
  std::istringstream questions;
  EXPECT_EQ(run(role, questions, answers_), 1);
  EXPECT_THAT(answers_.str(), HasSubstr("certificate verify failed"));
}

TEST(Tally, OfConnectionsThatLastLeavesOutNewcomers) {
  Tally tally;
  tally.account({Kind::idle, Transport::plain}).add_opened();
  tally.account({Kind::newcomer, Transport::plain}).add_opened();
  EXPECT_EQ(tally.lasting_opened(), 1u);
}

TEST(CertificateRole, IsMadeOnceForAName) {
  const TempDir dir;
  EXPECT_EQ(run(CertificateRole{.folder = dir.path(), .name = "a.example"}), 0);
  const std::string made = content_of(dir.file("site.pem"));
  EXPECT_THAT(made, HasSubstr("BEGIN CERTIFICATE"));
  EXPECT_THAT(content_of(dir.file("site.key")), HasSubstr("BEGIN PRIVATE KEY"));
  EXPECT_EQ(run(CertificateRole{.folder = dir.path(), .name = "b.example"}), 0);
  EXPECT_EQ(content_of(dir.file("site.pem")), made);
}

}  // namespace
}  // namespace baton::demo
