#include "proxy/demo_program.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

namespace baton {

std::string become_demo(std::span<const std::string> options) {
  const auto own = std::filesystem::read_symlink("/proc/self/exe");
  const auto beside = own.parent_path() / "baton-demo";
  const auto installed = (own.parent_path() / BATON_LIBEXEC_FROM_BIN / "baton/baton-demo").lexically_normal();
  // Options given twice count as they were given last.
  std::vector<std::string> arguments{"baton-demo", "--binary", own};
  arguments.insert(arguments.end(), options.begin(), options.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  for (const auto& program : {beside, installed}) {
    ::execv(program.c_str(), argv.data());
    if (errno == ENOENT) continue;
    return fmt::format("cannot start {}: {}", program.native(), std::generic_category().message(errno));
  }
  return fmt::format(
      "the demo is a program of its own, which is missing: there is neither {} nor {}; "
      "build or install baton-demo together with baton",
      beside.native(), installed.native());
}

}  // namespace baton
