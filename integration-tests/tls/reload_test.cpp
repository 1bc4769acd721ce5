// New certificates are loaded on HUP, or automatically with `watch: true`. Bad ones change nothing.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <functional>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"
#include "harness/tls_client.hpp"

namespace baton::harness {
namespace {

class NewCertificates : public testing::Test {
 protected:
  Settings settings(const std::string& more) const {
    Settings settings(origin.address());
    settings.tls = "certificates: [ { cert: " + cert + ", key: " + key + " } ]";
    settings.more = more;
    return settings;
  }
  static void copy(const std::string& from, const std::string& to) { replace_file(to, read_file(from)); }
  // Replaces certificate and key in one step: `live` names another directory.
  void install(const Certificate& certificate) {
    const std::string number = std::to_string(++installed);
    std::filesystem::create_directory(directory / number);
    copy(certificate.cert, directory / (number + "/site.pem"));
    copy(certificate.key, directory / (number + "/site.key"));
    std::filesystem::create_symlink(number, directory / "next");
    std::filesystem::rename(directory / "next", directory / "live");
  }
  static std::string served_by(const Baton& baton) { return TlsClient(baton.address()).server_common_name(); }

  // What may be wrong, the file that is wrong, and a part of the reason.
  struct Bad {
    std::string name;
    std::function<void()> spoil;
    std::string file;
    std::string why;
  };
  std::vector<Bad> bad_files() {
    const auto remove = [](const std::string& path) { return [path] { std::filesystem::remove(path); }; };
    const auto spoil = [](const std::string& path) { return [path] { replace_file(path, "-----BEGIN nothing\n"); }; };
    return {{"no certificate", remove(cert), cert, "No such file"},
            {"no key", remove(key), key, "No such file"},
            {"garbage for a certificate", spoil(cert), cert, "no certificate"},
            {"garbage for a key", spoil(key), key, "no private key"},
            {"another's key", [this] { copy(second.key, key); }, key, "does not belong"}};
  }

  TempDir directory;
  Authority authority{directory};
  const std::string cert = directory / "live/site.pem";
  const std::string key = directory / "live/site.key";
  const Certificate first = authority.issue({"first.test"});
  const Certificate second = authority.issue({"second.test"});
  Origin origin;
  int installed = 0;

  void SetUp() override { install(first); }
};

TEST_F(NewCertificates, AfterHupAreThoseOfNewHandshakes) {
  Baton baton(settings(""));
  TlsClient before(baton.address());
  before.get("/bytes/1");
  install(second);
  EXPECT_EQ(served_by(baton), "first.test") << "nobody has said anything yet";
  baton.signal(SIGHUP);
  baton.await_log(log_lines::reload_done);
  EXPECT_EQ(served_by(baton), "second.test");
  EXPECT_EQ(before.get("/bytes/30000").body, pattern(30'000));
  baton.upgrade();
  EXPECT_EQ(served_by(baton), "second.test");
  EXPECT_EQ(before.get("/bytes/30000").body, pattern(30'000));
}

TEST_F(NewCertificates, BadOnesChangeNothingAtHup) {
  Baton baton(settings(""));
  TlsClient before(baton.address());
  for (const Bad& bad : bad_files()) {
    bad.spoil();
    baton.signal(SIGHUP);
    const std::string line = baton.await_log(log_lines::reload_failed);
    EXPECT_TRUE(std::regex_search(line, std::regex("baton.yaml:[0-9]+:[0-9]+: "))) << bad.name << ": " << line;
    EXPECT_NE(line.find(bad.file), std::string::npos) << bad.name << ": " << line;
    EXPECT_NE(line.find(bad.why), std::string::npos) << bad.name << ": " << line;
    EXPECT_EQ(served_by(baton), "first.test") << bad.name;
    EXPECT_EQ(before.get("/bytes/30000").body, pattern(30'000)) << bad.name;
    install(first);
  }
}

TEST_F(NewCertificates, BadOnesAreFoundByCheckAndStopAnUpgrade) {
  Baton baton(settings(""));
  TlsClient before(baton.address());
  for (const Bad& bad : bad_files()) {
    EXPECT_EQ(run_baton({"check", "-c", baton.config_path()}).code, 0);
    bad.spoil();
    const Outcome check = run_baton({"check", "-c", baton.config_path()});
    EXPECT_NE(check.code, 0) << bad.name;
    EXPECT_TRUE(std::regex_search(check.out + check.err, std::regex("baton.yaml:[0-9]+:[0-9]+: ")))
        << check.out << check.err;
    EXPECT_NE((check.out + check.err).find(bad.file), std::string::npos) << check.out << check.err;
    EXPECT_NE((check.out + check.err).find(bad.why), std::string::npos) << check.out << check.err;
    baton.failed_upgrade();
    EXPECT_EQ(served_by(baton), "first.test") << bad.name;
    EXPECT_EQ(before.get("/bytes/3000").body, pattern(3000)) << bad.name;
    install(first);
  }
}

TEST_F(NewCertificates, AreNoticedWhenWatched) {
  const std::regex loaded("certificates have changed: reloaded");
  const std::regex refused("certificates have changed but cannot be used");
  Baton baton(settings("watch: true\n"));
  TlsClient before(baton.address());
  install(second);
  baton.await_log(loaded);
  EXPECT_EQ(served_by(baton), "second.test");
  for (const Bad& bad : bad_files()) {
    if (bad.name == "another's key") continue;  // here the key is the right one
    bad.spoil();
    const std::string line = baton.await_log(refused);
    EXPECT_NE(line.find(bad.file), std::string::npos) << bad.name << ": " << line;
    EXPECT_EQ(served_by(baton), "second.test") << bad.name;
    install(second);
    baton.await_log(loaded);
  }
  EXPECT_EQ(baton.count_log_lines(refused), 4u) << "one line for each";
  // The files are replaced one by one and in place, after an upgrade.
  baton.upgrade();
  std::filesystem::copy_file(first.key, key, std::filesystem::copy_options::overwrite_existing);
  std::filesystem::copy_file(first.cert, cert, std::filesystem::copy_options::overwrite_existing);
  await([&] { return served_by(baton) == "first.test"; }, "the third certificate");
  EXPECT_EQ(before.get("/bytes/30000").body, pattern(30'000));
  EXPECT_EQ(baton.count_log_lines(log_lines::reload_done), 0u);
}

}  // namespace
}  // namespace baton::harness
