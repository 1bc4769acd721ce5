#include "proxy/routing/passwords.hpp"

#include <gtest/gtest.h>

namespace baton::routing {
namespace {

constexpr std::string_view bcrypt = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

Passwords parsed(std::string_view text) {
  auto passwords = Passwords::parse(text);
  EXPECT_TRUE(passwords) << passwords.error();
  return passwords ? *std::move(passwords) : Passwords();
}

std::string refusal_of(std::string_view text) {
  const auto passwords = Passwords::parse(text);
  return passwords ? "" : passwords.error();
}

std::string line(std::string_view hash, std::string_view user = "ann") {
  return std::string(user) + ":" + std::string(hash) + "\n";
}

// ── Credentials ───────────────────────────────────────────────────────────────────────────────────────────────────

TEST(BasicCredentials, AreDecoded) {
  EXPECT_EQ(basic_credentials("Basic YW5uOnNlY3JldA=="), "ann:secret");
  EXPECT_EQ(basic_credentials("bASIC \t YW5uOnNlY3JldA"), "ann:secret");
  EXPECT_EQ(basic_credentials("Basic Og=="), ":");
  EXPECT_EQ(basic_credentials("Basic YW5uOnNlOmNyZXQ="), "ann:se:cret");
  EXPECT_EQ(user_of("ann:se:cret"), "ann");
}

TEST(BasicCredentials, OfAnyOtherFormAreNone) {
  for (const std::string_view value : {"", "Basic", "Basic ", "BasicYW5uOnNlY3JldA==", "Bearer YW5uOnNlY3JldA==",
                                       "Basic YW5u", "Basic YW5uOnNlY3JldA==x", "Basic YW5uOnNlY3JldA-_", "Basic Y",
                                       "Basic YW5uOgBh" /* a NUL */, "Basic YW5uOnNlY3JldA== YW5u"}) {
    EXPECT_EQ(basic_credentials(value), std::nullopt) << value;
  }
  EXPECT_EQ(basic_credentials("Basic " + std::string(2000, 'Y')), std::nullopt);
}

// ── Files ─────────────────────────────────────────────────────────────────────────────────────────────────────────

TEST(Passwords, OfEachKindAreVerified) {
  for (const std::string_view hash :
       {bcrypt, std::string_view("$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA"),
        std::string_view("$6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepNXNKJ/"
                         "otop/Zok96Hr8Q13LEv0DRY/x8v0/crpIjl8NJSAqXV/"),
        std::string_view("$y$j75$saltsalt$0gBD67sgmJgRX3RZ6wHHO7sHimQEWGCWN85o4Twogh2")}) {
    const Passwords passwords = parsed(line(hash));
    EXPECT_TRUE(passwords.verify("ann:secret")) << hash;
    EXPECT_FALSE(passwords.verify("ann:Secret")) << hash;
    EXPECT_FALSE(passwords.verify("ann:")) << hash;
    EXPECT_FALSE(passwords.verify("bob:secret")) << hash << ": the user is unknown";
    EXPECT_FALSE(passwords.verify("ann")) << hash;
  }
}

TEST(Passwords, MayHaveColons) {
  EXPECT_TRUE(parsed(line("$2b$04$abcdefghijklmnopqrstuu17JYDSDnwCnbeRSI7wxymnD3SKI1vtG")).verify("ann:se:cret"));
}

TEST(Passwords, StandOnLinesWithCommentsBetween) {
  const Passwords passwords =
      parsed("# the office\r\n\r\n" + line(bcrypt) + "bob:" + std::string(bcrypt) + ":comment\r\n");
  EXPECT_EQ(passwords.size(), 2U);
  EXPECT_TRUE(passwords.verify("bob:secret"));
}

TEST(Passwords, ThatAreGuessedTooFastOrCostTooMuchAreRefusedByLine) {
  const std::string good = line(bcrypt, "good");
  EXPECT_EQ(refusal_of(good + line("$apr1$salt$hash")),
            "line 2: the hash is MD5, which is guessed too fast; write it with `htpasswd -B`");
  EXPECT_EQ(refusal_of(line("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=")),
            "line 1: the hash is plain SHA-1, which is guessed too fast; write it with `htpasswd -B`");
  EXPECT_EQ(
      refusal_of(line("secret")),
      "line 1: the hash is not a hash that can be verified (bcrypt, SHA-256 or SHA-512 crypt, yescrypt); write it "
      "with `htpasswd -B`");
  std::string slow(bcrypt);
  slow.replace(4, 2, "15");
  EXPECT_EQ(refusal_of(line(slow)), "line 1: the hash has a cost of 15; at most 14 is verified");
  EXPECT_EQ(refusal_of(line(bcrypt.substr(0, 59))),
            "line 1: the hash is not a whole bcrypt hash; write it with `htpasswd -B`");
  EXPECT_EQ(refusal_of(line("$6$rounds=1000001$salt$hash")),
            "line 1: the hash has too many rounds; at most 1000000 are verified");
  EXPECT_EQ(refusal_of(line("$y$jFT$salt$hash")),
            "line 1: the hash has parameters that cost too much; make it with the usual ones");
  EXPECT_EQ(refusal_of("ann\n"), "line 1: expected USER:HASH");
  EXPECT_EQ(refusal_of(line(bcrypt) + line(bcrypt)), "line 2: the user appears twice");
  EXPECT_EQ(refusal_of(line(bcrypt, "a b")),
            "line 1: a user's name must be ASCII without blanks, quotes and backslashes");
  EXPECT_EQ(refusal_of("# nobody\n"), "names no user; write one with `htpasswd -B`");
}

TEST(Passwords, OfNobodyLetNobodyIn) {
  EXPECT_FALSE(Passwords().verify("ann:secret"));
  EXPECT_FALSE(Passwords().verify(":"));
}

// ── What is remembered ────────────────────────────────────────────────────────────────────────────────────────────

TEST(Passwords, RememberOnlyWhatTheyAreTold) {
  const Passwords passwords;
  EXPECT_FALSE(passwords.remembers("ann:secret"));
  passwords.remember("ann:secret");
  EXPECT_TRUE(passwords.remembers("ann:secret"));
  for (const std::string_view other : {"ann:secre", "ann:secret ", "bob:secret", "", "ann:secreT"}) {
    EXPECT_FALSE(passwords.remembers(other)) << other;
  }
  EXPECT_FALSE(Passwords().remembers("ann:secret"));
}

TEST(Passwords, RememberABoundedNumber) {
  const Passwords passwords;
  int remembered = 0;
  for (int i = 0; i < 5000; ++i) passwords.remember("ann:" + std::to_string(i));
  for (int i = 0; i < 5000; ++i) remembered += passwords.remembers("ann:" + std::to_string(i)) ? 1 : 0;
  EXPECT_GT(remembered, 256);
  EXPECT_LE(remembered, 512);
}

}  // namespace
}  // namespace baton::routing
