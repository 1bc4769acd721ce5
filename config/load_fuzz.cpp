// Any bytes load or are refused with problems; a loaded configuration prints to text that loads to the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/load.hpp"

namespace {

const char* environment(const char* name) {
  return name[0] == 'H' ? "10.1.2.3" : nullptr;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace baton::config;
  const std::string_view yaml(reinterpret_cast<const char*>(data), size);
  const auto loaded = load_text(yaml, "fuzz", environment);
  if (const auto* problems = std::get_if<Problems>(&loaded)) {
    if (problems->empty()) std::abort();
    return 0;
  }
  const auto& config = std::get<Config>(loaded);
  const auto again = load_text(print(config), "printed", environment);
  if (!std::holds_alternative<Config>(again) || std::get<Config>(again) != config) std::abort();
  return 0;
}
