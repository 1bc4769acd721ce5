// A run's random choices. The seed is printed; BATON_SEED=N repeats them, but not the scheduler's.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>

namespace baton::harness {

inline std::uint32_t number_from(const char* variable, std::uint32_t otherwise) {
  const char* given = std::getenv(variable);
  return given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : otherwise;
}

class Choices {
 public:
  Choices() { std::cout << "BATON_SEED=" << seed_ << std::endl; }

  // From 0 to `below` - 1, with equal probability.
  std::size_t any(std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_); }
  std::uint32_t seed() { return static_cast<std::uint32_t>(random_()); }

 private:
  const std::uint32_t seed_ = number_from("BATON_SEED", std::random_device()());
  std::mt19937 random_{seed_};
};

}  // namespace baton::harness
