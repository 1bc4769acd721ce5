#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "config/load.hpp"
#include "config/testing/load.hpp"

namespace baton::config {
namespace {

// A folder that is removed after the test.
class LoadFile : public testing::Test {
 protected:
  LoadFile() {
    std::string pattern = testing::TempDir() + "baton_config_XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~LoadFile() override { std::filesystem::remove_all(folder_); }

  std::string written(const std::string& text) const {
    const std::string path = folder_ / "baton.yaml";
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  // The only problem of a file.
  static std::string problem_of(const std::string& path) {
    const auto loaded = load_file(path, test_environment);
    const auto* problems = std::get_if<Problems>(&loaded);
    if (!problems || problems->size() != 1) return "not one problem";
    return problems->front().text();
  }

  std::filesystem::path folder_;
};

TEST_F(LoadFile, ReadsWhatIsThere) {
  const auto loaded = load_file(written(minimal), test_environment);
  ASSERT_TRUE(std::holds_alternative<Config>(loaded));
  EXPECT_EQ(std::get<Config>(loaded), config_of(minimal));
}

TEST_F(LoadFile, ProblemsNameTheFileLineAndColumn) {
  const std::string path = written(minimal + "worker: 2\n");
  EXPECT_THAT(problem_of(path), testing::StartsWith(path + ":8:1: unknown key `worker`"));
}

TEST_F(LoadFile, SaysWhyAFileCannotBeRead) {
  EXPECT_EQ(problem_of(folder_ / "absent.yaml"),
            (folder_ / "absent.yaml").string() + ": cannot be read: No such file or directory");
  EXPECT_EQ(problem_of(folder_), folder_.string() + ": cannot be read: Is a directory");
}

TEST_F(LoadFile, SaysWhenItMayNotRead) {
  const std::string path = written(minimal);
  ASSERT_EQ(chmod(path.c_str(), 0), 0);
  // Root may read any file.
  const bool is_root = geteuid() == 0;
  ASSERT_EQ(is_root ? seteuid(65534) : 0, 0);
  const std::string problem = problem_of(path);
  ASSERT_EQ(is_root ? seteuid(0) : 0, 0);
  EXPECT_EQ(problem, path + ": cannot be read: Permission denied");
}

TEST_F(LoadFile, TakesOneMebibyteAndNoMore) {
  const std::size_t mebibyte = 1024 * 1024;
  const std::string padded = minimal + "#" + std::string(mebibyte - minimal.size() - 1, 'x');
  EXPECT_TRUE(std::holds_alternative<Config>(load_file(written(padded), test_environment)));
  const std::string path = written(padded + "x");
  EXPECT_EQ(problem_of(path), path + ": is larger than 1 MiB, too large for a configuration");
}

TEST_F(LoadFile, DoesNotReadAnEndlessFileToItsEnd) {
  EXPECT_EQ(problem_of("/dev/zero"), "/dev/zero: is larger than 1 MiB, too large for a configuration");
}

TEST_F(LoadFile, ReadsFromAPipe) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  ASSERT_EQ(write(ends[1], minimal.data(), minimal.size()), static_cast<ssize_t>(minimal.size()));
  close(ends[1]);
  EXPECT_TRUE(std::holds_alternative<Config>(load_file("/dev/fd/" + std::to_string(ends[0]), test_environment)));
  close(ends[0]);
}

}  // namespace
}  // namespace baton::config
