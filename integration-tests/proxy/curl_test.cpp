// A foreign client.
#include <gtest/gtest.h>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

class Curl : public testing::Test {
 protected:
  Outcome curl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"/usr/bin/curl", "-sS", "--max-time", "20"});
    return run({std::move(arguments)});
  }
  std::string url(const std::string& path) { return "http://" + baton.address().text() + path; }

  Origin origin;
  TempDir dir;
  Baton baton{Settings(origin.address())};
};

TEST_F(Curl, Gets) {
  EXPECT_EQ(curl({url("/bytes/100000")}).out, pattern(100'000));
  EXPECT_EQ(curl({url("/chunked/100000")}).out, pattern(100'000));
  EXPECT_EQ(curl({"--http1.0", url("/chunked/100000")}).out, pattern(100'000));
  EXPECT_EQ(curl({"-I", url("/bytes/10")}).code, 0);
}

TEST_F(Curl, KeepsItsConnection) {
  EXPECT_EQ(
      curl({"-w", "%{num_connects} ", "-o", dir / "1", "-o", dir / "2", url("/bytes/10"), url("/chunked/10")}).out,
      "1 0 ");
}

TEST_F(Curl, UploadsAFileWithAndWithoutExpect) {
  replace_file(dir / "upload", pattern(3'000'000));
  EXPECT_EQ(curl({"--data-binary", "@" + (dir / "upload"), url("/count")}).out, "3000000 as sent");
  EXPECT_EQ(curl({"-H", "Expect:", "--data-binary", "@" + (dir / "upload"), url("/count")}).out, "3000000 as sent");
  EXPECT_EQ(curl({"-H", "Transfer-Encoding: chunked", "-T", dir / "upload", url("/count")}).out, "3000000 as sent");
}

TEST_F(Curl, SeesAShortBodyAsAnError) {
  origin.gate().open();
  EXPECT_NE(curl({url("/reset/1000")}).code, 0);
}

}  // namespace
}  // namespace baton::harness
