// The harness itself, without the proxy: a test bench that lies is worse than none.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "harness/baton.hpp"
#include "harness/client.hpp"
#include "harness/load_origin.hpp"
#include "harness/nginx.hpp"
#include "harness/origin.hpp"
#include "harness/process.hpp"
#include "harness/temp_dir.hpp"

namespace baton::harness {
namespace {

constexpr auto out = Process::Stream::out;

// Whoever has awaited its exit sees all that it has said, however busy the machine is.
TEST(Process, GivesAllOutputThatWasWrittenBefore) {
  for (int i = 0; i < 100; ++i) {
    Process process({{"/bin/sh", "-c", "echo said; echo complained >&2"}});
    process.await_exit();
    EXPECT_EQ(process.out(), "said\n");
    EXPECT_EQ(process.err(), "complained\n");
  }
}

TEST(Process, CapturesBothStreamsAndTheExitCode) {
  Outcome outcome = run({{"/bin/sh", "-c", "echo to out; echo to err >&2; exit 7"}});
  EXPECT_EQ(outcome.code, 7);
  EXPECT_EQ(outcome.out, "to out\n");
  EXPECT_EQ(outcome.err, "to err\n");
}

TEST(Process, GivesEnvironmentAndDirectory) {
  TempDir dir;
  Outcome outcome = run({{"/bin/sh", "-c", "echo $COLOUR; pwd"}, {"COLOUR=blue"}, dir.path()});
  EXPECT_EQ(outcome.out, "blue\n" + dir.path() + "\n");
}

TEST(Process, AwaitsLinesOneAfterTheOther) {
  Process process({{"/bin/sh", "-c", "echo line 1; echo line 2; echo other; read never < /dev/zero"}});
  EXPECT_EQ(process.await_line(out, std::regex("line")), "line 1");
  EXPECT_EQ(process.await_line(out, std::regex("line")), "line 2");
  EXPECT_EQ(process.await_line(out, std::regex("^oth")), "other");
  EXPECT_THROW(process.await_line(out, std::regex("line"), Milliseconds(50)), Failure);
}

TEST(Process, SaysWhenTheLineCannotComeAnyMore) {
  Process process({{"/bin/sh", "-c", "echo first"}});
  EXPECT_THROW(process.await_line(out, std::regex("second")), Failure);
}

TEST(Process, TellsASignalFromAnExit) {
  Process process({{"/bin/sh", "-c", "echo ready; kill -STOP $$"}});
  process.await_line(out, std::regex("ready"));
  process.signal(SIGKILL);
  EXPECT_EQ(process.await_exit(), (Ended{-1, SIGKILL}));
}

TEST(Process, StartsWithACleanSignalMask) {
  sigset_t usr2, before;
  sigemptyset(&usr2);
  sigaddset(&usr2, SIGUSR2);
  ::pthread_sigmask(SIG_BLOCK, &usr2, &before);
  Outcome outcome = run({{"/bin/sh", "-c", "grep -E 'SigBlk|SigIgn' /proc/self/status"}});
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  // The signals 32 and 33 belong to the C library.
  EXPECT_TRUE(std::regex_match(outcome.out, std::regex("SigBlk:\t0{16}\nSigIgn:\t0{7}[018]{2}0{7}\n"))) << outcome.out;
}

TEST(Process, AdoptsTheGrandchildWhoseParentExited) {
  Process process({{"/bin/sh", "-c",
                    "sh -c 'echo grandchild $$; kill -STOP $$; exit 3' & wait=$!; read go < /dev/null; "
                    "exit 0"}});
  const std::string line = process.await_line(out, std::regex("grandchild"));
  EXPECT_EQ(process.await_exit(), (Ended{0, 0}));
  const pid_t grandchild = std::stoi(line.substr(line.find(' ')));
  await([&] { return read_file("/proc/" + std::to_string(grandchild) + "/stat").find(") T ") != std::string::npos; },
        "the grandchild to stop");
  EXPECT_TRUE(is_alive(grandchild));
  ::kill(grandchild, SIGCONT);
  EXPECT_EQ(await_exit(grandchild), (Ended{3, 0}));
}

TEST(Process, KillsTheWholeFamilyWhenItGoes) {
  pid_t grandchild = 0;
  {
    Process process({{"/bin/sh", "-c", "sh -c 'echo $$; kill -STOP $$' & exit 0"}});
    grandchild = std::stoi(process.await_line(out, std::regex("\\d")));
  }
  EXPECT_FALSE(is_alive(grandchild));
}

TEST(Process, CountsDescriptorsAndChildren) {
  Process process({{"/bin/sh", "-c", "exec 7</dev/null; sleep 100 & echo ready; wait"}});
  Process without({{"/bin/sh", "-c", "sleep 100 & echo ready; wait"}});
  process.await_line(out, std::regex("ready"));
  without.await_line(out, std::regex("ready"));
  EXPECT_EQ(descriptor_count(process.pid()), descriptor_count(without.pid()) + 1);
  EXPECT_EQ(children_of(process.pid()).size(), 1u);
  EXPECT_GT(resident_bytes(process.pid()), 100'000u);
}

TEST(Process, AwaitsLinesInTheOrderOfEachWriter) {
  Process process({{"/bin/sh", "-c", "for line in '[1] a' '[1] b' '[2] a' '[1] c' '[2] b'; do echo \"$line\" >&2; done"}});
  const auto awaited = [&](const char* pattern) { return process.await_line(Process::Stream::err, std::regex(pattern)); };
  EXPECT_EQ(awaited("c"), "[1] c");
  EXPECT_EQ(awaited("a|c"), "[2] a") << "the first writer's are over, the second's came before";
  EXPECT_EQ(awaited("a|b"), "[2] b");
  process.await_end_of_output();
  EXPECT_THROW(awaited("a|b"), Failure);
}

TEST(Process, SaysWhenTheProgramIsMissing) {
  EXPECT_THROW(Process({{"/no/such/program"}}), Failure);
}

TEST(FreePort, GivesNoPortTwice) {
  EXPECT_NE(free_port(), free_port());
}

TEST(TempDirs, AreGoneAfterwards) {
  std::string path;
  {
    TempDir dir;
    path = dir.path();
    replace_file(dir / "file", "content", true);
    EXPECT_EQ(read_file(dir / "file"), "content");
  }
  struct stat info;
  EXPECT_NE(::stat(path.c_str(), &info), 0);
}

TEST(Pattern, ShowsALostAByteAndASwappedBlock) {
  const std::string whole = pattern(200'000);
  EXPECT_EQ(pattern(1000), whole.substr(0, 1000));
  for (std::size_t lost : {1u, 61u, 64u, 4096u, 16384u, 32768u})
    EXPECT_NE(whole.substr(lost, 1000), whole.substr(0, 1000)) << lost;
}

TEST(OriginAndClient, SpeakEveryFraming) {
  Origin origin;
  Client client(origin.address());
  EXPECT_EQ(client.get("/bytes/100000").body, pattern(100'000));
  Response chunked = client.get("/chunked/2500");
  EXPECT_TRUE(chunked.chunked);
  EXPECT_EQ(chunked.body, pattern(2500));
  EXPECT_EQ(client.get("/trailers").trailer("x-checksum"), "abc123");
  EXPECT_EQ(client.get("/status/204").status(), 204);
  EXPECT_EQ(client.get("/status/304").status(), 304);
  EXPECT_EQ(client.get("/nowhere").status(), 404);
  client.send("HEAD /bytes/10 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.response(BodyIs::absent).field("Content-Length"), "10");
  EXPECT_EQ(client.get("/until-close/5000").body, pattern(5000));
  EXPECT_EQ(origin.accepted(), 1u);
  EXPECT_EQ(origin.requests().size(), 8u);
}

TEST(OriginAndClient, EchoesHeadBodyAndTrailers) {
  Origin origin;
  Client client(origin.address());
  EXPECT_EQ(client.post("/echo", "hello", "X-Test: 1\r\n").body,
            "POST /echo HTTP/1.1\r\nHost: test.example\r\nContent-Length: 5\r\nX-Test: 1\r\n\r\nhello");
  client.send("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("ab") + chunk("c") +
              "0\r\nX-T: v\r\n\r\n");
  EXPECT_TRUE(client.response().body.ends_with("\r\n\r\nabc\ntrailer X-T: v"));
  EXPECT_EQ(origin.last_request().body, "abc");
  EXPECT_EQ(client.post("/count", pattern(3'000'000)).body, "3000000 as sent");
}

TEST(OriginAndClient, StopsAtTheGate) {
  Origin origin;
  Client client(origin.address());
  client.send(get_request("/half/1000"));
  origin.gate().await_arrivals(1);
  EXPECT_EQ(read_head(client).field("Content-Length"), "1000");
  EXPECT_EQ(client.read_exactly(500), pattern(1000).substr(0, 500));
  client.expect_silence(Milliseconds(50));
  origin.gate().open();
  EXPECT_EQ(client.read_exactly(500), pattern(1000).substr(500));
}

TEST(OriginAndClient, KeepInterimAnswersApart) {
  Origin origin;
  Client client(origin.address());
  Response response = client.get("/interim");
  EXPECT_EQ(response.status(), 200);
  ASSERT_EQ(response.interim.size(), 1u);
  EXPECT_EQ(response.interim[0].status(), 103);
}

TEST(OriginAndClient, RelayAnUpgradedConnection) {
  Origin origin;
  Client client(origin.address());
  EXPECT_EQ(client.get("/websocket").status(), 101);
  client.send("ping");
  EXPECT_EQ(client.read_exactly(4), "ping");
  client.half_close();
  client.expect_fin();
}

TEST(OriginAndClient, TellResetFromFin) {
  Origin origin;
  origin.gate().open();
  Client client(origin.address());
  client.send(get_request("/reset/100"));
  std::string bytes;
  EXPECT_EQ(client.read_to_end(bytes), End::reset);
  Client other(origin.address());
  other.send(get_request("/vanish"));
  other.expect_fin();
}

TEST(Origin, ClosesIdleConnectionsOnly) {
  Origin origin;
  Client idle(origin.address()), busy(origin.address());
  idle.get("/bytes/1");
  busy.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  origin.close_idle_connections();
  idle.expect_fin();
  origin.gate().open();
  EXPECT_EQ(busy.response().body, "held");
}

TEST(Origin, RefusesOnCommandAndListensOnAUnixSocket) {
  TempDir dir;
  Origin origin(unix_socket(dir / "origin.sock"));
  EXPECT_EQ(Client(origin.address()).get("/bytes/3").body, "ABC");
  origin.refuse();
  EXPECT_FALSE(is_listening(origin.address()));
}

TEST(LoadOrigins, AnswerEveryHeadHoweverItIsCut) {
  LoadOrigin origin("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab");
  Client client(origin.address()), other(origin.address());
  EXPECT_EQ(other.get("/").body, "ab");
  for (const char byte : get_request("/")) client.send({&byte, 1});
  EXPECT_EQ(client.response().body, "ab");
  client.send(get_request("/") + get_request("/") + "GET / HTTP/1.1\r\n\r");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(client.response().body, "ab");
  client.expect_silence(Milliseconds(50));
  client.send("\n");
  EXPECT_EQ(client.response().body, "ab");
  EXPECT_EQ(origin.requests(), 5u);
}

TEST(Message, RefusesWhatIsNotExact) {
  Origin origin;
  origin.on_raw("/folded", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n");
  origin.on_raw("/both", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
  origin.on_raw("/twice", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na");
  origin.on_raw("/short", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na");
  origin.on_raw("/bare", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n");
  for (const char* path : {"/folded", "/both", "/twice", "/short", "/bare"})
    EXPECT_THROW(Client(origin.address()).get(path), Failure) << path;
}

TEST(FullBacklogs, NeitherAcceptNorRefuse) {
  FullBacklog full;
  Outcome outcome =
      run({{"/usr/bin/curl", "-s", "--connect-timeout", "0.3", "http://" + loopback(full.port()).text()}});
  EXPECT_EQ(outcome.code, 28) << "curl's code for a timeout";
}

TEST(Nginxes, ServeFiles) {
  if (!Nginx::installed()) GTEST_SKIP() << "nginx is not installed";
  Nginx nginx;
  Client client(nginx.address());
  EXPECT_EQ(client.get("/small").body, pattern(10));
  EXPECT_EQ(client.get("/large").body, pattern(1 << 20));
}

TEST(Configuration, HasItsFilesInTheTestsDirectory) {
  TempDir dir;
  Settings settings(loopback(9000));
  settings.binds = {loopback_v6(80)};
  settings.timeouts = "head: 1s";
  const std::string yaml = to_yaml(settings, dir);
  EXPECT_NE(yaml.find("bind: [\"[::1]:80\"]"), std::string::npos) << yaml;
  EXPECT_NE(yaml.find("timeouts: { head: 1s }"), std::string::npos) << yaml;
  EXPECT_NE(yaml.find("pid_file: " + dir.path()), std::string::npos) << yaml;
}

}  // namespace
}  // namespace baton::harness
