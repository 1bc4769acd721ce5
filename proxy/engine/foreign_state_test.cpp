// States from another process: the engine continues from any state that decodes.
#include <gtest/gtest.h>

#include <string>

#include "proxy/engine/testing/engine_probe.hpp"
#include "proxy/state/testing/random_state.hpp"

namespace baton::engine {
namespace {

TEST(ForeignState, OfAnyKindIsGoneOnFrom) {
  state::RandomState random(11);
  for (int i = 0; i < 1000; ++i) EngineProbe(random.connection()).run();
}

TEST(ForeignState, WithAnyFlippedByteIsRefusedOrGoneOnFrom) {
  state::RandomState random(12);
  for (int i = 0; i < 12; ++i) {
    const state::ConnectionState original = random.connection();
    const std::string bytes = state::encode(original);
    const handoff::SecretBytes secrets = state::encode_secrets(original);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << random.below(8)));
      const auto moved = state::decode(flipped, secrets.view(), 0);
      if (moved && std::holds_alternative<state::ConnectionState>(*moved)) {
        EngineProbe(std::get<state::ConnectionState>(*moved)).run();
      }
    }
  }
}

}  // namespace
}  // namespace baton::engine
