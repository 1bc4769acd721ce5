#include "harness/chromium.hpp"

#include "harness/process.hpp"
#include "harness/temp_dir.hpp"

namespace baton::harness {

std::string chromium() {
  for (const std::string name : {"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"}) {
    const Outcome found = run({{"/bin/sh", "-c", "command -v " + name}});
    if (found.code == 0) return found.out.substr(0, found.out.find('\n'));
  }
  return "";
}

bool chromium_may_be_missing() {
  return read_file("/etc/os-release").find("\nID=debian\n") == std::string::npos;
}

}  // namespace baton::harness
