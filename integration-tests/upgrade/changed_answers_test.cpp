// Answers of our own, across reloads and upgrades: what has begun ends as it began.
#include <list>

#include "upgrade/changed.hpp"

namespace baton::harness {
namespace {

class ChangedAnswers : public Changed {
 protected:
  Settings with_routes(const std::string& routes, const std::string& more = "") const {
    Settings settings = with(listener("web", web), upstream("app", origin) + "routes:\n" + routes);
    settings.more = more;
    return settings;
  }
  static std::string ask(Client& client, std::string_view path) { return client.get(path).body; }

  TempDir files;
};

INSTANTIATE_TEST_SUITE_P(By, ChangedAnswers, testing::Values(Way::upgrade, Way::reload), name_of);

TEST_P(ChangedAnswers, AFileHalfSentEndsAsItBegan) {
  const std::string file = files / "page.html";
  const std::string before = pattern(1'000'000);
  replace_file(file, before);
  const std::string routes = "  - { match: { path: /page }, respond: { file: " + file + " } }\n  - { upstream: app }\n";
  Baton baton(with_routes(routes));
  Client slow(web), quick(web);
  slow.send(get_request("/page"));
  const Message head = read_head(slow);
  EXPECT_EQ(head.field("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(head.field("Content-Length"), "1000000");
  EXPECT_EQ(slow.read_exactly(1000), before.substr(0, 1000));
  EXPECT_EQ(ask(quick, "/page"), before);
  replace_file(file, "new");
  change(baton, with_routes(routes));
  EXPECT_EQ(slow.read_exactly(before.size() - 1000), before.substr(1000));
  EXPECT_EQ(ask(slow, "/page"), "new") << "on the same connection";
  EXPECT_EQ(ask(quick, "/page"), "new");
  EXPECT_EQ(ask(quick, "/bytes/5"), pattern(5));
}

TEST_P(ChangedAnswers, ABodyThatNobodyWantsMovesWithItsConnection) {
  const std::string routes = "  - { match: { path: /gone }, respond: { status: 410 } }\n  - { upstream: app }\n";
  Baton baton(with_routes(routes));
  Client client(web);
  const std::string post = post_request("/gone", pattern(100'000));
  client.send(post.substr(0, post.size() - 60'000));
  EXPECT_EQ(client.response().status(), 410) << "before the body has come";
  change(baton, with_routes(routes));
  client.send(post.substr(post.size() - 60'000));
  EXPECT_EQ(ask(client, "/bytes/5"), pattern(5)) << "the rest of the body is not the next request";
}

TEST_P(ChangedAnswers, AccessIsAskedOfTheConfigurationOfNow) {
  const auto only = [&](const std::string& range) {
    return with_routes("  - { upstream: app, access: { allow: [ \"" + range + "\" ] } }\n");
  };
  Baton baton(only("127.0.0.1"));
  Client client(web);
  EXPECT_EQ(ask(client, "/bytes/5"), pattern(5));
  change(baton, only("10.0.0.0/8"));
  EXPECT_EQ(client.get("/bytes/5").status(), 403);
  change(baton, only("127.0.0.0/8"));
  EXPECT_EQ(ask(client, "/bytes/5"), pattern(5)) << "on the same connection";
}

TEST_P(ChangedAnswers, ErrorPagesAreReadAgain) {
  const std::string file = files / "404.txt";
  replace_file(file, "not here\n");
  const Settings settings =
      with_routes("  - { match: { path: /a }, upstream: app }\n", "error_pages: { 404: " + file + " }\n");
  Baton baton(settings);
  Client client(web);
  EXPECT_EQ(ask(client, "/b"), "not here\n");
  replace_file(file, "nor there\n");
  EXPECT_EQ(ask(client, "/b"), "not here\n");
  change(baton, settings);
  EXPECT_EQ(ask(client, "/b"), "nor there\n");
}

TEST(Answers, FileThatCannotBeReadIsNamedWithItsPlace) {
  const TempDir directory;
  const std::string config = directory / "baton.yaml";
  const std::string folder = directory.path();
  replace_file(config,
               "version: 1\nlisteners: [ { name: web, bind: \"127.0.0.1:1\" } ]\n"
               "upstreams: [ { name: app, servers: [ { address: \"127.0.0.1:2\" } ] } ]\n"
               "routes: [ { respond: { file: " +
                   folder +
                   " } } ]\n"
                   "error_pages: { 404: /nowhere/404.html }\n");
  for (const char* command : {"check", "run"}) {
    const Outcome outcome = run_baton({command, "-c", config});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.err.find(config + ":4:30: " + folder + ": Is a directory"), std::string::npos) << outcome.err;
  }
  const Outcome outcome = run_baton({"check", "-c", config});
  EXPECT_NE(outcome.err.find(config + ":5:21: /nowhere/404.html: No such file"), std::string::npos) << outcome.err;
}

// ── Passwords ─────────────────────────────────────────────────────────────────────────────────────────────────────

const std::string secret_hash = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
// Takes about a fifth of a second.
const std::string slow_secret_hash = "$2y$12$abcdefghijklmnopqrstuuT1Iwu6o8Wx7BoOyIMHfgVJq6JO/IJhW";
const std::string as_ann = "Authorization: Basic YW5uOnNlY3JldA==\r\n";
const std::string as_ann_wrongly = "Authorization: Basic YW5uOndyb25n\r\n";
const std::string as_bob = "Authorization: Basic Ym9iOnNlY3JldA==\r\n";

class ChangedPasswords : public ChangedAnswers {
 protected:
  std::string file() const { return files / "htpasswd"; }
  Settings guarded() const {
    Settings settings = with_routes("  - { upstream: app, basic_auth: { realm: office, file: " + file() + " } }\n");
    settings.log = "access: { path: \"-\", format: combined }";
    return settings;
  }
};

INSTANTIATE_TEST_SUITE_P(By, ChangedPasswords, testing::Values(Way::upgrade, Way::reload), name_of);

TEST_P(ChangedPasswords, LetInWhoHasOne) {
  replace_file(file(), "ann:" + secret_hash + "\n");
  Baton baton(guarded());
  Client client(web);
  const Response challenge = client.get("/bytes/5");
  EXPECT_EQ(challenge.status(), 401);
  EXPECT_EQ(challenge.field("WWW-Authenticate"), "Basic realm=\"office\", charset=\"UTF-8\"");
  EXPECT_EQ(client.get("/bytes/5", as_ann_wrongly).status(), 401);
  EXPECT_EQ(client.get("/bytes/5", as_bob).status(), 401);
  EXPECT_EQ(client.get("/bytes/5", as_ann).body, pattern(5)) << "all on one connection";
  EXPECT_EQ(origin.last_request().field("Authorization"), "Basic YW5uOnNlY3JldA==");
  EXPECT_NE(baton.await_access_log(std::regex("\" 200 5 ")).find("127.0.0.1 - ann ["), std::string::npos);
  replace_file(file(), "bob:" + secret_hash + "\n");
  EXPECT_EQ(client.get("/bytes/5", as_bob).status(), 401) << "the file is read at load";
  change(baton, guarded());
  EXPECT_EQ(client.get("/bytes/5", as_ann).status(), 401) << "what was remembered is gone";
  EXPECT_EQ(client.get("/bytes/5", as_bob).body, pattern(5));
}

TEST_P(ChangedPasswords, BeingVerifiedAreVerifiedAgain) {
  replace_file(file(), "ann:" + slow_secret_hash + "\n");
  Baton baton(guarded());
  std::list<Client> clients;
  for (int i = 0; i < 12; ++i) {
    // Each has a password of its own, so that none is spared the work.
    const std::string wrong =
        "Authorization: Basic YW5uOndyb25n" + std::string(1, static_cast<char>('A' + i)) + "A==\r\n";
    clients.emplace_back(web).send(get_request("/bytes/5", i % 2 == 0 ? as_ann : wrong));
  }
  change(baton, guarded());
  int number = 0;
  for (Client& client : clients) EXPECT_EQ(client.response().status(), number++ % 2 == 0 ? 200 : 401) << number;
}

TEST(Passwords, ThatWaitTooLongForTheirTurnAreRefusedAndOthersAreServed) {
  const TempDir files;
  const Origin origin;
  replace_file(files / "htpasswd", "ann:" + slow_secret_hash + "\n");
  Settings settings;
  settings.binds = {loopback(free_port())};
  settings.workers = 1;
  settings.topology = "listeners:\n" + listener("web", settings.binds[0]) + "upstreams:\n" + upstream("app", origin) +
                      "routes:\n  - { match: { path: /open }, respond: { body: open } }\n"
                      "  - { upstream: app, basic_auth: { file: " +
                      files / "htpasswd" + " } }\n";
  Baton baton(settings);
  std::list<Client> guessing;
  for (int i = 0; i < 100; ++i) {
    guessing.emplace_back(baton.address())
        .send(get_request("/bytes/1", "Authorization: Basic YW5uOndyb25n" +
                                          std::string(1, static_cast<char>('A' + i % 26)) +
                                          std::string(1, "AQgw"[i / 26]) + "==\r\n"));
  }
  EXPECT_EQ(baton.connect().get("/open").body, "open") << "no worker waits for a password";
  int refused = 0;
  for (Client& client : guessing) {
    const int status = client.response().status();
    EXPECT_TRUE(status == 401 || status == 503) << status;
    if (status == 503) ++refused;
  }
  EXPECT_GT(refused, 0);
  EXPECT_EQ(baton.connect().get("/bytes/5", as_ann).body, pattern(5));
}

TEST(Passwords, ThatCannotBeVerifiedAreNamedWithTheirLine) {
  const TempDir directory;
  const std::string file = directory / "htpasswd";
  const std::string config = directory / "baton.yaml";
  replace_file(file, "ann:" + secret_hash + "\nbob:$apr1$salt$hash\n");
  replace_file(config,
               "version: 1\nlisteners: [ { name: web, bind: \"127.0.0.1:1\" } ]\n"
               "upstreams: [ { name: app, servers: [ { address: \"127.0.0.1:2\" } ] } ]\n"
               "routes: [ { upstream: app, basic_auth: { file: " +
                   file + " } } ]\n");
  for (const char* command : {"check", "run"}) {
    const Outcome outcome = run_baton({command, "-c", config});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.err.find(config + ":4:48: " + file + ": line 2: the hash is MD5"), std::string::npos)
        << outcome.err;
  }
}

}  // namespace
}  // namespace baton::harness
