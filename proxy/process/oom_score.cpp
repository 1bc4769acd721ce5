#include "proxy/process/oom_score.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>

#include "handoff/unique_fd.hpp"

namespace baton::process {

namespace {

std::string path_of(const std::string& process) {
  return "/proc/" + process + "/oom_score_adj";
}

std::string score_in(int file) {
  std::array<char, 16> text{};
  const auto count = ::pread(file, text.data(), text.size(), 0);
  return count > 0 ? std::string(text.data(), static_cast<std::size_t>(count)) : std::string();
}

void write(int file, std::string_view score) {
  [[maybe_unused]] const auto written = ::pwrite(file, score.data(), score.size(), 0);
}

}  // namespace

int open_oom_score() {
  return ::open(path_of("self").c_str(), O_RDWR | O_CLOEXEC);
}

void be_killed_first(int oom_score) {
  write(oom_score, "1000");
}

void take_oom_score_of(pid_t process) {
  const handoff::UniqueFd theirs(::open(path_of(std::to_string(process)).c_str(), O_RDONLY | O_CLOEXEC));
  const handoff::UniqueFd ours(open_oom_score());
  const std::string score = score_in(theirs.get());
  if (!score.empty() && score != score_in(ours.get())) write(ours.get(), score);
}

}  // namespace baton::process
