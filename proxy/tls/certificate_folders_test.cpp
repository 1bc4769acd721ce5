// Which pairs are found in folders, and what becomes of those that cannot be used.
#include "proxy/tls/certificate_folders.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "proxy/tls/testing/server_context.hpp"

namespace baton::tls {
namespace {

namespace fs = std::filesystem;

using test::Issued;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Folders : public ServerContextTest {
 protected:
  Folders() { listener.certificates.clear(); }

  std::string path(const std::string& name) const { return files.missing(name).path; }
  void make(const std::string& name) const { fs::create_directories(path(name)); }
  void touch(const std::string& name) const { files.write(name, ""); }
  // A folder as certbot has it.
  void install(const std::string& name, const Issued& issued) const {
    make(name);
    files.write(name + "/fullchain.pem", issued.certificate_pem());
    files.write(name + "/privkey.pem", issued.key_pem());
  }
  static Issued issued_to(const std::string& name) {
    return test::issue({.common_name = name, .names = "DNS:" + name}, &test::authority());
  }

  std::vector<std::string> pairs_in(const std::string& pattern) const {
    std::vector<std::string> pairs;
    const std::string root = path("");
    for (const config::Certificate& pair : find_pairs({files.missing(pattern)}).pairs) {
      pairs.push_back(pair.cert.path.substr(root.size()) + " " + pair.key.path.substr(root.size()));
    }
    return pairs;
  }
  static std::vector<std::string> names_in(const ServerContext& context) {
    std::vector<std::string> names;
    for (const auto& identity : context.identities()) names.push_back(identity->names.front());
    return names;
  }
  static std::vector<std::string> notes_of(const ServerContext& context) {
    std::vector<std::string> texts;
    for (const Note& note : context.notes()) texts.push_back((note.is_error ? "error: " : "warning: ") + note.text);
    return texts;
  }
  // Read again, with these paths changed.
  ServerContext again(const ServerContext& before, const std::set<std::string>& changed) {
    return {
        listener, "web", tickets,
        Reading{.leaves_out_unusable = true, .before = &before, .has_changed = [this, changed](const std::string& one) {
                  return changed.contains(one.substr(path("").size()));
                }}};
  }
};

TEST_F(Folders, HavePairsByTheNamesThatCertbotAndOthersGive) {
  make("one");
  for (const char* name :
       {"README", "cert.pem", "chain.pem", "fullchain.pem", "privkey.pem", "tls.crt", "tls.key", "ca.crt", "b.pem",
        "b.key", "a.crt", "a.pem", "a.key", "alone.key", ".hidden.crt", ".hidden.key", "a.issuer.crt", "a.json"}) {
    touch(std::string("one/") + name);
  }
  EXPECT_THAT(pairs_in("one"), ElementsAre("one/a.crt one/a.key", "one/b.pem one/b.key",
                                           "one/fullchain.pem one/privkey.pem", "one/tls.crt one/tls.key"));
}

TEST_F(Folders, ThatMatchAPatternAreSortedByPathAndFilesAmongThemArePassedOver) {
  for (const std::string name : {"live/b", "live/a", "live/a-0001", "live/.archive", "other"}) {
    make(name);
    touch(name + "/tls.crt"), touch(name + "/tls.key");
  }
  touch("live/README");
  EXPECT_THAT(pairs_in("live/*"),
              ElementsAre("live/a/tls.crt live/a/tls.key", "live/a-0001/tls.crt live/a-0001/tls.key",
                          "live/b/tls.crt live/b/tls.key"));
  EXPECT_THAT(find_pairs({files.missing("live/*")}).without, IsEmpty());
  const auto twice = find_pairs({files.missing("live/a"), files.missing("live/*")});
  EXPECT_EQ(twice.pairs.size(), 3u) << "each once";
}

TEST_F(Folders, MayBeLinksAndHaveLinks) {
  make("..data"), make("mount"), make("archive");
  touch("archive/1.crt"), touch("archive/1.key");
  fs::create_symlink("../archive/1.crt", path("mount/tls.crt"));
  fs::create_symlink("nowhere", path("mount/tls.key"));
  fs::create_directory_symlink("mount", path("link"));
  EXPECT_THAT(pairs_in("l*"), ElementsAre("link/tls.crt link/tls.key")) << "whether it can be read is another matter";
}

TEST_F(Folders, WithoutAPairAreNamed) {
  make("live/empty"), make("live/half");
  touch("live/half/fullchain.pem");
  std::vector<std::string> without;
  for (const char* pattern : {"live/*", "no/such/*", "missing"}) {
    for (const config::File& folder : find_pairs({files.missing(pattern)}).without) {
      without.push_back(folder.path.substr(path("").size()));
    }
  }
  EXPECT_THAT(without, ElementsAre("live/empty", "live/half", "no/such/*", "missing"));
}

TEST_F(Folders, ThatAreFilesOrUnreadableAreNamedWithTheReason) {
  touch("file");
  const auto file = find_pairs({files.missing("file")}).unreadable;
  ASSERT_EQ(file.size(), 1u);
  EXPECT_EQ(file.front().error, ENOTDIR);
  if (::geteuid() == 0) GTEST_SKIP() << "root reads every folder";
  make("live/a");
  for (const char* closed : {"live", "live/a"}) {
    for (const char* pattern : {"live/*", "live/a"}) {
      ::chmod(path(closed).c_str(), 0);
      const auto found = find_pairs({files.missing(pattern)});
      ::chmod(path(closed).c_str(), 0700);
      ASSERT_EQ(found.unreadable.size(), 1u) << closed << " " << pattern;
      EXPECT_EQ(found.unreadable.front().error, EACCES);
    }
  }
}

TEST_F(Folders, ServeAfterThePairsThatAreNamed) {
  install("live/a.example", issued_to("a.example"));
  install("live/b.example", issued_to("b.example"));
  listener.folders = {files.missing("live/*")};
  EXPECT_THAT(names_in(ServerContext(listener, "web", tickets)), ElementsAre("a.example", "b.example"));
  listener.certificates = {files.write("named", issued_to("named.example"), 9)};
  EXPECT_THAT(names_in(ServerContext(listener, "web", tickets)),
              ElementsAre("named.example", "a.example", "b.example"));
}

TEST_F(Folders, ServeInTheOrderOfTheFileAndThenByPath) {
  for (const char* name : {"z/b", "z/a", "y/d", "y/c"}) install(name, issued_to(std::string(name) + ".example"));
  listener.folders = {files.missing("z/*", 3), files.missing("y/*", 4)};
  EXPECT_THAT(names_in(ServerContext(listener, "web", tickets)),
              ElementsAre("z/a.example", "z/b.example", "y/c.example", "y/d.example"));
}

TEST_F(Folders, WithoutAnyCertificateFailHandshakesAndSaySo) {
  listener.folders = {files.missing("live/*")};
  const ServerContext context(listener, "web", tickets);
  EXPECT_THAT(notes_of(context),
              ElementsAre("warning: baton.yaml:1:5: " + path("live/*") + ": there is no pair of certificate and key",
                          "warning: listener `web` has no certificate yet: its TLS handshakes fail"));
  EXPECT_FALSE(context.covers("a.example", "a.example"));
  const SslCtxPtr theirs = test::context_of(TLS_client_method(), TLS1_3_VERSION);
  test::Ours ours(context.get());
  test::Peer peer(theirs.get());
  test::shake_hands(ours, peer);
  EXPECT_FALSE(ours.is_done());
  EXPECT_THAT(peer.failure(), HasSubstr("handshake failure"));
}

TEST_F(Folders, AtTheStartABrokenPairIsAnErrorUnlessItIsLeftOut) {
  const Issued good = issued_to("good.example");
  install("live/good", good);
  install("live/mixed", issued_to("mixed.example"));
  files.write("live/mixed/privkey.pem", good.key_pem());
  listener.folders = {files.missing("live/*")};
  EXPECT_THAT([&] { ServerContext(listener, "web", tickets); },
              testing::ThrowsMessage<std::runtime_error>(
                  AllOf(HasSubstr("baton.yaml:1:5: " + path("live/mixed/privkey.pem")), HasSubstr("does not belong"))));
  const ServerContext rest(listener, "web", tickets, {.leaves_out_unusable = true});
  EXPECT_THAT(names_in(rest), ElementsAre("good.example"));
  EXPECT_THAT(notes_of(rest),
              ElementsAre(HasSubstr("error: a certificate cannot be used and is left out: baton.yaml")));
}

TEST_F(Folders, AgainABrokenPairStaysAsItWasAndTheOthersAreRead) {
  install("live/a", issued_to("a.example"));
  install("live/b", issued_to("b.example"));
  listener.folders = {files.missing("live/*")};
  const ServerContext before(listener, "web", tickets);
  files.write("live/a/fullchain.pem", "nothing");
  install("live/b", issued_to("new.b.example"));
  install("live/c", issued_to("c.example"));
  const ServerContext after = again(before, {"live/a/fullchain.pem", "live/b/fullchain.pem", "live/b/privkey.pem"});
  EXPECT_THAT(names_in(after), ElementsAre("a.example", "new.b.example", "c.example"));
  EXPECT_THAT(notes_of(after), ElementsAre(HasSubstr("error: certificates have changed but cannot be used, the "
                                                     "previous ones stay: baton.yaml:1:5: " +
                                                     path("live/a/fullchain.pem"))));
  EXPECT_FALSE(after.is_as(before));
  EXPECT_EQ(after.identities().front(), before.identities().front());
  fs::remove_all(path("live/b"));
  EXPECT_THAT(names_in(again(after, {})), ElementsAre("a.example", "c.example")) << "a removed one is gone";
}

TEST_F(Folders, AgainOnlyWhatHasChangedIsRead) {
  install("live/a", issued_to("a.example"));
  listener.folders = {files.missing("live/*")};
  listener.certificates = {files.write("named", issued_to("named.example"))};
  require_clients();
  const ServerContext before(listener, "web", tickets);
  for (const char* name : {"live/a/privkey.pem", "named.pem", "ca.pem"}) files.write(name, "nothing");
  const ServerContext after = again(before, {});
  EXPECT_TRUE(after.is_as(before));
  EXPECT_THAT(notes_of(after), IsEmpty());
}

TEST_F(Folders, AgainAnUnreadableOneKeepsItsCertificatesInTheirPlace) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads every folder";
  install("live/a", issued_to("a.example"));
  install("live/b", issued_to("b.example"));
  listener.folders = {files.missing("live/*")};
  const ServerContext before(listener, "web", tickets);
  for (const char* closed : {"live", "live/a"}) {
    ::chmod(path(closed).c_str(), 0);
    const ServerContext after = again(before, {});
    ::chmod(path(closed).c_str(), 0700);
    EXPECT_THAT(names_in(after), ElementsAre("a.example", "b.example"));
    EXPECT_THAT(notes_of(after), ElementsAre(HasSubstr("error: certificates have changed but cannot be used")));
  }
}

TEST_F(Folders, AgainAKeyThatNoCipherSuitsTakesNothingAway) {
  install("live/a", issued_to("a.example"));
  listener.folders = {files.missing("live/*")};
  listener.max_version = config::TlsMinimum::tls12;
  listener.ciphers = {"ECDHE-ECDSA-AES128-GCM-SHA256"};
  const ServerContext before(listener, "web", tickets);
  const Issued rsa =
      test::issue({.common_name = "rsa", .names = "DNS:rsa.example", .key = test::KeyType::rsa}, &test::authority());
  install("live/a", rsa);
  install("live/b", rsa);
  const ServerContext after = again(before, {"live/a/fullchain.pem", "live/a/privkey.pem"});
  EXPECT_THAT(names_in(after), ElementsAre("a.example"));
  EXPECT_THAT(notes_of(after), ElementsAre(HasSubstr("the previous ones stay: baton.yaml:1:5: " + path("live/a")),
                                           HasSubstr("is left out: baton.yaml:1:5: " + path("live/b"))));
}

}  // namespace
}  // namespace baton::tls
