// `baton ctl rollback`: the same live handover, to the executable and configuration that ran before, whatever has
// become of their files.
#include <algorithm>
#include <filesystem>
#include <list>
#include <regex>

#include "ctl/ctl.hpp"
#include "harness/certificates.hpp"
#include "harness/log_lines.hpp"
#include "harness/tls_client.hpp"

namespace baton::harness {
namespace {

namespace json = boost::json;

class CtlRollback : public Ctl {
 protected:
  CtlRollback() : Ctl([](Settings& settings) { settings.limits = "uri_bytes: 4k"; }) {}

  void install(const std::string& binary) { replace_file(baton.binary_path(), read_file(binary), true); }
  void upgrade_to_other_version() {
    install(BATON_OTHER_VERSION);
    const Outcome outcome = ctl({"upgrade"});
    ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
    baton.finish_upgrade();
    ASSERT_EQ(version(), "0.0.9-other");
  }
  void roll_back(const std::string& said) {
    const Outcome outcome = ctl({"rollback", "--admin", admin().text()});
    ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err << baton.log();
    EXPECT_TRUE(contains(outcome.out, said)) << outcome.out;
    baton.finish_upgrade();
  }
  std::string version() const { return std::string(baton.status().at("version").as_string()); }
  std::string first_argument() const {
    const std::string line = read_file("/proc/" + std::to_string(baton.pid()) + "/cmdline");
    return line.substr(0, line.find('\0'));
  }
  // Tells which configuration runs, by limits.uri_bytes.
  bool takes_a_long_uri() { return baton.connect().get("/bytes/1?" + std::string(2000, 'x')).status() == 200; }

  const std::string first_version = version();
};

TEST_F(CtlRollback, GoesBackToBothAlsoWhenBothFilesHaveBeenOverwritten) {
  std::list<Client> clients;
  for (int i = 0; i < 5; ++i) clients.emplace_back(baton.address()).get("/bytes/1");
  const std::string good = read_file(baton.config_path());
  replace_file(baton.config_path(), std::regex_replace(good, std::regex("uri_bytes: 4k"), "uri_bytes: 1k"));
  upgrade_to_other_version();
  EXPECT_FALSE(takes_a_long_uri());
  replace_file(baton.config_path(), "no configuration at all\n");
  install("/bin/false");

  roll_back("rollback to baton " + first_version + ", with all connections");
  EXPECT_EQ(version(), first_version);
  EXPECT_EQ(baton.number("generation"), 3);
  EXPECT_EQ(baton.number("last_upgrade.moved_total"), 5);
  for (Client& client : clients) EXPECT_EQ(client.get("/bytes/5").body, pattern(5));
  EXPECT_TRUE(takes_a_long_uri());
  EXPECT_EQ(first_argument(), baton.binary_path()) << "the next upgrade starts from there";

  // The one before this is the other version: going forward again is the same operation.
  roll_back("rollback to baton 0.0.9-other");
  EXPECT_EQ(version(), "0.0.9-other");
  EXPECT_FALSE(takes_a_long_uri());

  // Read from the files again.
  replace_file(baton.config_path(), good);
  install(baton_binary());
  EXPECT_EQ(ctl({"upgrade"}).code, 0);
  baton.finish_upgrade();
  EXPECT_EQ(version(), first_version);
  EXPECT_TRUE(takes_a_long_uri());
  for (Client& client : clients) EXPECT_EQ(client.get("/bytes/5").body, pattern(5));
}

// A file cannot be written while a process executes it; afterwards it can, and then only a copy is what ran.
TEST_F(CtlRollback, GoesBackAlsoWhenTheOldFileHasBeenWrittenInPlace) {
  const std::string other = baton.directory() / "other";
  std::filesystem::copy_file(BATON_OTHER_VERSION, other);
  Client client = baton.connect();
  client.get("/bytes/1");
  EXPECT_EQ(ctl({"upgrade", "--binary", other}).code, 0);
  baton.finish_upgrade();
  ASSERT_EQ(version(), "0.0.9-other");
  std::filesystem::copy_file("/bin/false", baton.binary_path(), std::filesystem::copy_options::overwrite_existing);

  roll_back("rollback to baton " + first_version);
  EXPECT_EQ(version(), first_version);
  EXPECT_EQ(first_argument(), baton.binary_path());
  EXPECT_EQ(client.get("/bytes/5").body, pattern(5));
  EXPECT_EQ(read_file("/proc/" + std::to_string(baton.pid()) + "/comm"), "baton\n");
}

TEST_F(CtlRollback, OfTheFirstOfItsLineIsRefused) {
  expect_failure(ctl({"rollback"}), "no previous program is known");
  EXPECT_TRUE(baton.status().at("rollback").is_null());
  EXPECT_EQ(baton.connect().get("/bytes/2").body, pattern(2));
}

TEST_F(CtlRollback, ThatCannotBeLeavesEverythingAsItIs) {
  const std::string good = read_file(baton.config_path());
  replace_file(baton.config_path(), good + "log: { access: { path: \"" + (baton.directory() / "folder/access.log") + "\" } }\n");
  std::filesystem::create_directory(baton.directory() / "folder");
  EXPECT_EQ(ctl({"upgrade"}).code, 0);
  baton.finish_upgrade();
  replace_file(baton.config_path(), good);
  EXPECT_EQ(ctl({"upgrade"}).code, 0);
  baton.finish_upgrade();
  std::filesystem::remove_all(baton.directory() / "folder");      // which the previous program needs
  Client client = baton.connect();
  client.get("/bytes/1");
  const Outcome outcome = ctl({"rollback"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(contains(outcome.out, "access.log")) << outcome.out;
  EXPECT_EQ(client.get("/bytes/5").body, pattern(5));
  EXPECT_EQ(baton.number("generation"), 3);
  EXPECT_EQ(ctl({"upgrade"}).code, 0) << "and the next upgrade works";
  baton.finish_upgrade();
}

// The commands of docs/coming-from-nginx.md, verbatim except for the paths.
TEST_F(CtlRollback, TheChoreographyThatPeopleKnowFromNginxWorksAsWritten) {
  const std::string document = read_file(DOCUMENTS "/coming-from-nginx.md");
  const std::size_t begin = document.find("```sh\n") + 6;
  std::string commands = document.substr(begin, document.find("```", begin) - begin);
  commands = std::regex_replace(commands, std::regex("/usr/sbin/"), baton.directory() / "");
  commands = std::regex_replace(commands, std::regex("/etc/baton/"), baton.directory() / "");
  std::filesystem::copy_file(BATON_OTHER_VERSION, baton.directory() / "baton.new");
  Client client = baton.connect();
  client.get("/bytes/1");
  const Outcome outcome = run({{"/bin/sh", "-e", "-c", commands}});
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err << baton.log();
  EXPECT_TRUE(contains(outcome.out, "baton          0.0.9-other")) << "the look" << outcome.out;
  EXPECT_TRUE(contains(outcome.out, "rollback to baton " + first_version)) << outcome.out;
  baton.follow_pid_file();
  EXPECT_EQ(version(), first_version);
  EXPECT_EQ(baton.number("generation"), 3);
  EXPECT_EQ(client.get("/bytes/5").body, pattern(5));
  EXPECT_EQ(baton.number("accepted_total"), 1);
  EXPECT_EQ(ctl({"upgrade"}).code, 0);
  baton.finish_upgrade();
  EXPECT_EQ(version(), first_version) << "the file is the old one again";
}

class CtlRollbackWithTls : public Ctl {
 protected:
  CtlRollbackWithTls()
      : Ctl([](Settings& settings) {
          static const TempDir directory;
          settings.more_listeners = "  - { name: web_tls, bind: \"" + address.text() + "\", tls: { certificates: [" +
                                    Authority(directory).issue({"localhost"}).yaml() + "] } }\n";
        }) {}

  static inline const Address address = loopback(free_port());
};

TEST_F(CtlRollbackWithTls, SaysBeforehandHowManyConnectionsTheOtherVersionCouldNotServe) {
  // The next program takes the running one for a version without TLS.
  replace_file(baton.directory() / "relay", "before_tls");
  replace_file(baton.binary_path(), read_file(RELAY), true);
  EXPECT_EQ(ctl({"upgrade"}).code, 0);
  baton.finish_upgrade();
  Client plain = baton.connect();
  plain.get("/bytes/1");
  TlsClient one(address);
  TlsClient two(address);
  EXPECT_EQ(one.get("/bytes/1").status(), 200);
  EXPECT_EQ(two.get("/bytes/1").status(), 200);

  EXPECT_EQ(baton.number("rollback.unknown"), 2);
  EXPECT_TRUE(contains(ctl({"status"}).out, "2 connections could not move")) << ctl({"status"}).out;
  const Outcome outcome = ctl({"rollback"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto said = outcome.out.find("2 connections could not move");
  ASSERT_NE(said, std::string::npos) << outcome.out;
  EXPECT_LT(said, outcome.out.find("started ")) << "before it begins";
  baton.finish_upgrade();
}

}  // namespace
}  // namespace baton::harness
