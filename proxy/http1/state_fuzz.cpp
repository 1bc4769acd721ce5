// Whatever decodes as a connection's state can be encoded again, and the engine goes on from it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "proxy/http1/engine_probe.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace baton;
  const auto moved = state::decode({reinterpret_cast<const char*>(data), size}, 0);
  if (!moved) return 0;
  if (const auto* state = std::get_if<state::ConnectionState>(&*moved)) {
    http1::EngineProbe(*state).run();
  } else if (state::decode(state::encode(std::get<state::IdleUpstream>(*moved)), 0) != moved) {
    std::abort();
  }
  return 0;
}
