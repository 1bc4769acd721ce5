// `baton demo` finds its program and becomes it.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "harness/baton.hpp"

namespace baton::harness {
namespace {

// An installed baton, and stand-ins for baton-demo that print what they are and were given.
class DemoCommand : public testing::Test {
 protected:
  DemoCommand() {
    std::filesystem::create_directories(dir / "bin");
    std::filesystem::create_directories(dir / "libexec/baton");
    std::filesystem::copy_file(baton_binary(), baton);
  }

  void put_demo(const std::string& path, mode_t mode = 0755) {
    replace_file(path, "#!/bin/sh\necho \"$0\" \"$@\"\nexit 3\n");
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
  }

  Outcome demo(const std::string& program) { return run({{program, "demo", "--upgrades", "7", "a b"}}); }
  std::string said_by(const std::string& path) { return path + " --binary " + baton + " --upgrades 7 a b\n"; }

  const TempDir dir;
  const std::string baton = dir / "bin/baton";
  const std::string beside = dir / "bin/baton-demo";
  const std::string installed = dir / "libexec/baton/baton-demo";
};

TEST_F(DemoCommand, BecomesTheProgramBesideIt) {
  put_demo(beside);
  put_demo(installed);
  const Outcome outcome = demo(baton);
  EXPECT_EQ(outcome.out, said_by(beside)) << outcome.err;
  EXPECT_EQ(outcome.code, 3);
}

TEST_F(DemoCommand, OrTheInstalledOneAlsoByASymbolicLink) {
  put_demo(installed);
  EXPECT_EQ(demo(baton).out, said_by(installed));
  std::filesystem::create_symlink(baton, dir / "link");
  EXPECT_EQ(demo(dir / "link").out, said_by(installed));
}

TEST_F(DemoCommand, SaysWhereItLookedWhenThereIsNone) {
  const Outcome outcome = demo(baton);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_NE(outcome.err.find(beside), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find(installed), std::string::npos) << outcome.err;
}

TEST_F(DemoCommand, SaysWhatIsWrongWithTheOneThatIsThere) {
  put_demo(beside, 0644);
  const Outcome outcome = demo(baton);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "baton: cannot start " + beside + ": Permission denied\n");
}

TEST(CommandLine, TheDemoExplainsItselfAsBatonDoes) {
  const Outcome help = run_baton({"demo", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_NE(help.out.find("--upgrades UINT=5"), std::string::npos) << help.out;
  const Outcome misuse = run_baton({"demo", "--upgrade", "1"});
  EXPECT_EQ(misuse.code, 2);
  EXPECT_EQ(misuse.err,
            "baton: there is no option `--upgrade` of `baton demo`; did you mean `baton demo --upgrades`?\n");
}

TEST(CommandLine, TheDemoTestsTheBinaryThatIsNamed) {
  const Outcome outcome = run_baton({"demo", "--upgrades", "0", "--no-nginx", "--binary", "/no/such/baton"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.out.find("cannot start /no/such/baton"), std::string::npos) << outcome.out;
}

}  // namespace
}  // namespace baton::harness
