// Certificates of folders are served as they come and go, without a reload.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"
#include "harness/tls_client.hpp"
#include "tls/certbot_folders.hpp"

namespace baton::harness {
namespace {

namespace fs = std::filesystem;

const std::regex reloaded("certificates have changed: reloaded");

class Folders : public testing::Test {
 protected:
  Settings settings(const std::string& more = {}) const {
    Settings settings(origin.address());
    settings.tls = folders.yaml();
    settings.more = more;
    return settings;
  }
  static std::string served(const Baton& baton, const std::string& name) {
    return TlsClient(baton.address(), {.server_name = name}).server_common_name();
  }
  static std::optional<int> refusal_of(const Baton& baton) {
    TlsClient client(baton.address(), {.server_name = "a.test"}, TlsClient::Handshake::later);
    client.send_raw(client.next_flight());
    return client.await_alert();
  }
  // With the key of another certificate.
  void install_broken(const std::string& name) {
    folders.install(name, {authority.issue({name}).cert, authority.issue({name}).key});
  }

  TempDir directory;
  Authority authority{directory};
  CertbotFolders folders{directory / "letsencrypt"};
  Origin origin;
};

TEST_F(Folders, AppearAreRenewedAndDisappear) {
  folders.install("b.test", authority.issue({"b.test"}));
  Baton baton(settings());
  TlsClient before(baton.address(), {.server_name = "b.test"});
  before.get("/bytes/1");
  for (const bool is_upgraded : {false, true}) {
    folders.install("a.test", authority.issue({"a.test", "www.a.test"}));
    baton.await_log(reloaded);
    EXPECT_EQ(served(baton, "www.a.test"), "a.test");
    EXPECT_EQ(served(baton, "b.test"), "b.test");
    EXPECT_EQ(served(baton, ""), "a.test") << "the first by path";
    folders.install("a.test", authority.issue({"renewed.test", "a.test"}));
    baton.await_log(reloaded);
    EXPECT_EQ(served(baton, "a.test"), "renewed.test");
    EXPECT_EQ(served(baton, "b.test"), "b.test");
    folders.remove("a.test");
    baton.await_log(reloaded);
    EXPECT_EQ(served(baton, "a.test"), "b.test");
    EXPECT_EQ(before.get("/bytes/30000").body, pattern(30'000)) << "a connection keeps what it has";
    if (is_upgraded) break;
    baton.upgrade();
    EXPECT_EQ(served(baton, "b.test"), "b.test");
  }
  baton.signal(SIGHUP);
  baton.await_log(log_lines::reload_done);
  folders.install("c.test", authority.issue({"c.test"}));
  baton.await_log(reloaded);
  EXPECT_EQ(served(baton, "c.test"), "c.test");
  EXPECT_EQ(baton.count_log_lines(std::regex("Z (warn|error) ")), 0u) << baton.log();
}

TEST_F(Folders, MayBeEmptyAtFirst) {
  Baton baton(settings());
  EXPECT_NE(baton.log().find("live/*: there is no pair of certificate and key"), std::string::npos) << baton.log();
  EXPECT_NE(baton.log().find("listener `web` has no certificate yet"), std::string::npos) << baton.log();
  EXPECT_EQ(refusal_of(baton), 40) << "handshake_failure";
  baton.upgrade();
  EXPECT_EQ(refusal_of(baton), 40);
  folders.install("a.test", authority.issue({"a.test"}));
  baton.await_log(reloaded);
  EXPECT_EQ(served(baton, "a.test"), "a.test");
  folders.remove("a.test");
  baton.await_log(reloaded);
  EXPECT_EQ(refusal_of(baton), 40);
}

TEST_F(Folders, ABrokenOneTakesNoOtherAway) {
  folders.install("a.test", authority.issue({"a.test"}));
  folders.install("b.test", authority.issue({"b.test"}));
  Baton baton(settings());
  // A new one that is broken, a renewal that is, and one that is well.
  install_broken("new.test");
  install_broken("b.test");
  folders.install("a.test", authority.issue({"renewed.test", "a.test"}));
  baton.await_log(reloaded);
  EXPECT_EQ(served(baton, "a.test"), "renewed.test");
  EXPECT_EQ(served(baton, "b.test"), "b.test") << "the previous one stays";
  EXPECT_EQ(served(baton, "new.test"), "renewed.test") << "the default";
  const std::string place = "baton.yaml:[0-9]+:[0-9]+: .*live/";
  const std::regex left_out("a certificate cannot be used and is left out: .*" + place +
                            "new.test/privkey.pem: this key");
  const std::regex stays("the previous ones stay: .*" + place + "b.test/privkey.pem: this key does not belong");
  EXPECT_EQ(baton.count_log_lines(left_out), 1u) << baton.log();
  EXPECT_EQ(baton.count_log_lines(stays), 1u) << baton.log();

  // What is asked for by an operator says what is wrong, and changes nothing.
  const Outcome check = run_baton({"check", "-c", baton.config_path()});
  EXPECT_EQ(check.code, 1);
  for (const char* name : {"b.test", "new.test"}) {
    EXPECT_NE(check.err.find(std::string(name) + "/privkey.pem: this key does not belong"), std::string::npos)
        << check.err;
  }
  baton.signal(SIGHUP);
  baton.await_log(log_lines::reload_failed);
  baton.failed_upgrade();
  EXPECT_EQ(served(baton, "a.test"), "renewed.test");
  EXPECT_EQ(served(baton, "b.test"), "b.test");

  folders.install("new.test", authority.issue({"new.test"}));
  baton.await_log(reloaded);
  EXPECT_EQ(served(baton, "new.test"), "new.test");
  EXPECT_EQ(baton.count_log_lines(left_out), 1u) << "it is said once";
  folders.install("b.test", authority.issue({"renewed.b.test", "b.test"}));
  baton.await_log(reloaded);
  EXPECT_EQ(served(baton, "b.test"), "renewed.b.test");
  baton.upgrade();
  EXPECT_EQ(served(baton, "new.test"), "new.test");
}

TEST_F(Folders, ABrokenOneDoesNotKeepACrashedWorkerFromBeingReplaced) {
  folders.install("a.test", authority.issue({"a.test"}));
  Settings supervised = settings();
  supervised.arguments = {"--supervise"};
  Baton baton(supervised);
  install_broken("new.test");
  baton.await_log(std::regex("is left out"));
  ::kill(static_cast<pid_t>(baton.number("pid")), SIGKILL);
  baton.await_log(std::regex("is left out"));
  await([&] { return baton.readyz() == 200; }, "the replacement");
  EXPECT_EQ(served(baton, "a.test"), "a.test");
}

TEST_F(Folders, AreThoseOfKubernetes) {
  const std::string mount = directory / "tls";
  fs::create_directories(mount);
  int version = 0;
  // The kubelet makes a new folder and replaces the link ..data.
  const auto project = [&](const Certificate& certificate) {
    const std::string name = "..2026_" + std::to_string(++version);
    fs::create_directories(mount + "/" + name);
    replace_file(mount + "/" + name + "/tls.crt", read_file(certificate.cert));
    replace_file(mount + "/" + name + "/tls.key", read_file(certificate.key));
    fs::create_symlink(name, mount + "/..data_tmp");
    fs::rename(mount + "/..data_tmp", mount + "/..data");
    for (const std::string file : {"tls.crt", "tls.key"}) {
      if (!fs::is_symlink(mount + "/" + file)) fs::create_symlink("..data/" + file, mount + "/" + file);
    }
  };
  project(authority.issue({"first.test"}));
  Settings mounted = settings();
  mounted.tls = "certificates: [ { folder: " + mount + " } ]";
  Baton baton(mounted);
  EXPECT_EQ(served(baton, "first.test"), "first.test");
  project(authority.issue({"second.test"}));
  baton.await_log(reloaded);
  EXPECT_EQ(served(baton, "first.test"), "second.test");
}

TEST_F(Folders, AreCheckedBeforeAStart) {
  Baton baton(settings());
  const auto check = [&] { return run_baton({"check", "-c", baton.config_path()}); };
  EXPECT_EQ(check().code, 0);
  EXPECT_NE(check().err.find("warning: `" + directory / "letsencrypt/live/*`: there is no pair"), std::string::npos);
  folders.install("a.test", authority.issue_expired("a.test"));
  EXPECT_EQ(check().code, 0);
  EXPECT_NE(check().err.find("warning: `" + folders.path("a.test") + "`: the certificate of CN=a.test has expired"),
            std::string::npos)
      << check().err;
}

TEST_F(Folders, AreNotWatchedWithoutWatchButCertbotsHookReloads) {
  folders.install("a.test", authority.issue({"a.test"}));
  Baton baton(settings("watch: false\n"));
  folders.install("a.test", authority.issue({"renewed.test", "a.test"}));
  const std::string hook = std::string(PACKAGING) + "/certbot/baton-reload";
  const auto run_hook = [&](const std::string& config) {
    return run({.argv = {hook}, .environment = {"BATON=" + baton_binary(), "BATON_CONFIG=" + config}});
  };
  EXPECT_EQ(run_hook(baton.config_path()).code, 0);
  EXPECT_EQ(served(baton, "a.test"), "renewed.test");
  EXPECT_EQ(baton.count_log_lines(reloaded), 0u);
  install_broken("a.test");
  EXPECT_EQ(run_hook(baton.config_path()).code, 1) << "certbot reports it";
  EXPECT_EQ(served(baton, "a.test"), "renewed.test");
}

// The configuration and the commands of docs/certificates.md, with free ports in place of theirs.
class HttpChallenge : public Folders {
 protected:
  HttpChallenge() {
    std::ifstream file(std::string(BATON_DOCUMENTS) + "/certificates.md");
    page_ = std::string(std::istreambuf_iterator<char>(file), {});
  }
  // The block of code that has this text.
  std::string block_with(const std::string& text) const {
    const std::size_t at = page_.find(text);
    if (at == std::string::npos) throw Failure("the page does not have " + text);
    const std::size_t begin = page_.find('\n', page_.rfind("\n```", at) + 1) + 1;
    return page_.substr(begin, page_.find("\n```", at) + 1 - begin);
  }
  static std::string with(std::string text, const std::vector<std::pair<std::string, std::string>>& changes) {
    for (const auto& [from, to] : changes) {
      const std::size_t at = text.find(from);
      if (at == std::string::npos) throw Failure("there is no " + from + " in " + text);
      text.replace(at, from.size(), to);
    }
    return text;
  }
  Settings of_the_page() const {
    Settings settings;
    settings.binds = {http};
    settings.topology =
        with(block_with("/.well-known/acme-challenge"), {{"version: 1\n", ""},
                                                         {":80\"", http.text() + "\""},
                                                         {":443\"", https.text() + "\""},
                                                         {"/etc/letsencrypt/live/*/", folders.pattern()},
                                                         {"127.0.0.1:8888", certbot.text()},
                                                         {"127.0.0.1:9000", origin.address().text()}});
    return settings;
  }
  std::string command(const std::string& beginning) const {
    const std::string block = block_with(beginning);
    const std::size_t at = block.find(beginning);
    return block.substr(at, block.find('\n', at) - at);
  }

  const Address http = loopback(free_port()), https = loopback(free_port()), certbot = loopback(free_port());

 private:
  std::string page_;
};

TEST_F(HttpChallenge, ReachesCertbotBeforeThereIsACertificateAndItIsThenServed) {
  Baton baton(of_the_page());
  const std::string path = "/.well-known/acme-challenge/token";
  EXPECT_EQ(Client(http).get(path).status(), 502) << "certbot does not listen";
  {
    Origin standalone(certbot);
    standalone.on(path, [](Exchange& exchange) { exchange.respond("token.thumbprint"); });
    EXPECT_EQ(Client(http).get(path).body, "token.thumbprint");
  }
  EXPECT_EQ(Client(http).get("/bytes/5").body, pattern(5)) << "the rest is for the application";
  folders.install("example.com", authority.issue({"example.com", "www.example.com"}));
  baton.await_log(reloaded);
  TlsClient client(https, {.server_name = "www.example.com"});
  EXPECT_EQ(client.server_common_name(), "example.com");
  EXPECT_EQ(client.get("/bytes/5").body, pattern(5));
}

TEST_F(HttpChallenge, IsAnsweredFromAFolder) {
  Baton baton(of_the_page());
  const std::string root = directory / "acme";
  fs::create_directories(root + "/.well-known/acme-challenge");
  replace_file(root + "/.well-known/acme-challenge/token", "token.thumbprint");
  Process server(
      {.argv = {"sh", "-c",
                "exec " + with(command("python3 -m http.server"),
                               {{" 8888 ", " " + std::to_string(certbot.port) + " "}, {"/var/lib/acme", root}})}});
  const auto answer = [&] { return Client(http).get("/.well-known/acme-challenge/token"); };
  await([&] { return answer().status() == 200; }, "the small server");
  EXPECT_EQ(answer().body, "token.thumbprint");
}

// With the real certbot where it is installed: it must get as far as asking the authority, which is not there.
TEST_F(HttpChallenge, CertbotUnderstandsTheCommands) {
  if (run({{"sh", "-c", "command -v certbot"}}).code != 0) GTEST_SKIP() << "there is no certbot";
  for (const char* beginning : {"certbot certonly --standalone", "certbot certonly --webroot"}) {
    std::string line = command(beginning);
    if (const std::size_t at = line.find("/var/lib/acme"); at != std::string::npos)
      line.replace(at, 13, directory / "");
    line += " --non-interactive --agree-tos --register-unsafely-without-email --server http://" + certbot.text() +
            " --config-dir " + directory / "c" + " --work-dir " + directory / "w" + " --logs-dir " + directory / "l";
    const Outcome outcome = run({{"sh", "-c", line}});
    EXPECT_EQ(outcome.code, 1) << outcome.err;
    EXPECT_NE((outcome.out + outcome.err).find("Connection refused"), std::string::npos) << outcome.out << outcome.err;
  }
}

// The rest of the page's commands, on a copy of certbot's folders.
TEST_F(HttpChallenge, TheHookIsInstalledAndAGroupMayRead) {
  folders.install("a.test", authority.issue({"a.test"}));
  const std::string root = directory / "letsencrypt";
  fs::create_directories(root + "/renewal-hooks/deploy");
  const std::string install =
      with(command("install -m 755"), {{"packaging", "'" + std::string(PACKAGING) + "'"}, {"/etc/letsencrypt", root}});
  EXPECT_EQ(run({{"sh", "-c", install}}).code, 0);
  EXPECT_TRUE(fs::exists(root + "/renewal-hooks/deploy/baton-reload"));
  fs::permissions(root + "/archive", fs::perms::owner_all);
  fs::permissions(root + "/archive/a.test/privkey1.pem", fs::perms::owner_read | fs::perms::owner_write);
  const std::string group = std::to_string(::getegid());
  const std::string own =
      with(command("chgrp"), {{"baton", group}, {"/etc/letsencrypt", root}, {"/etc/letsencrypt", root}});
  const std::string open = with(command("chmod -R"), {{"/etc/letsencrypt", root}, {"/etc/letsencrypt", root}});
  EXPECT_EQ(run({{"sh", "-c", own + " && " + open}}).code, 0);
  const auto has = [](const std::string& path, fs::perms wanted) {
    return (fs::status(path).permissions() & wanted) == wanted;
  };
  EXPECT_TRUE(has(root + "/archive", fs::perms::group_read | fs::perms::group_exec));
  EXPECT_TRUE(has(root + "/archive/a.test/privkey1.pem", fs::perms::group_read));
  EXPECT_FALSE(has(root + "/archive/a.test/privkey1.pem", fs::perms::group_exec));
}

}  // namespace
}  // namespace baton::harness
