#include "examples/example.hpp"

#include <csignal>
#include <filesystem>
#include <ranges>
#include <regex>

namespace baton::harness {

namespace {

const std::regex outcome{"upgrade: (generation|failed|rolled back)"};

}  // namespace

Example::Example(const std::string& program)
    : address_(loopback(free_port())),
      process_({{put(program), std::to_string(address_.port), directory_ / "pid"}}) {
  await([this] { return is_listening(address_) && !read_file(directory_ / "pid").empty(); }, program + " to listen");
}

pid_t Example::pid() const { return static_cast<pid_t>(std::stol(read_file(directory_ / "pid"))); }

pid_t Example::keeper() const {
  std::optional<pid_t> found;
  await([&] { return (found = find_keeper()).has_value(); }, "a keeper");
  return *found;
}

std::optional<pid_t> Example::find_keeper() const {
  for (const pid_t child : children_of(pid())) {
    if (read_file("/proc/" + std::to_string(child) + "/comm") == "handoff-keeper\n") return child;
  }
  return std::nullopt;
}

void Example::await_alone() {
  await(
      [this] {
        return std::ranges::all_of(living_in_group(process_.pid()),
                                   [&](pid_t one) { return one == pid() || one == find_keeper(); });
      },
      "one process to be left");
}

void Example::await_nobody() {
  await([this] { return living_in_group(process_.pid()).empty(); }, "no process to be left");
}

void Example::crash(int signal) {
  const auto times = [this] {
    return std::ranges::distance(std::views::split(process_.err(), std::string_view("\nserving: ")));
  };
  const pid_t before = pid();
  const auto said = times();
  ::kill(before, signal);
  await([&] { return pid() != before && times() != said; }, "another process to serve");
}

std::string Example::upgrade_to(const std::string& program) {
  begin_upgrade_to(program);
  return await_outcome();
}

std::string Example::upgrade_to_file(const std::string& content) {
  const std::string path = directory_ / "server";
  std::filesystem::remove(path);
  if (!content.empty()) replace_file(path, content, true);
  ::kill(pid(), SIGUSR2);
  return await_outcome();
}

void Example::begin_upgrade_to(const std::string& program) {
  put(program);
  ::kill(pid(), SIGUSR2);
}

std::string Example::put(const std::string& program) {
  const std::string path = directory_ / "server";
  std::filesystem::remove(path);
  std::filesystem::create_symlink(program, path);
  return path;
}

std::string Example::await_outcome() { return process_.await_line(Process::Stream::err, outcome); }

}  // namespace baton::harness
