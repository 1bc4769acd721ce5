// Any input that decodes as a connection's state can be encoded again, and the engine can continue from it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/engine/testing/engine_probe.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace baton;
  // The content of the secrets does not matter, only their number of bytes: enough for no leg, one or two.
  static const std::string secrets(2 * 184, 's');
  for (const std::size_t bytes : {std::size_t{0}, secrets.size() / 2, secrets.size()}) {
    const auto moved = state::decode({reinterpret_cast<const char*>(data), size}, secrets.substr(0, bytes), 0);
    if (!moved) continue;
    if (const auto* state = std::get_if<state::ConnectionState>(&*moved)) {
      engine::EngineProbe(*state).run();
      continue;
    }
    const auto& idle = std::get<state::IdleUpstream>(*moved);
    if (state::decode(state::encode(idle), state::encode_secrets(idle).view(), 0) != moved) std::abort();
  }
  return 0;
}
