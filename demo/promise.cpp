#include "demo/promise.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace baton::demo {
namespace {

constexpr std::size_t files_for_each = 4;
constexpr std::size_t other_files = 512;  // clients of the canary among them
constexpr double tolerance = 0.9;

}  // namespace

std::size_t files_wanted(unsigned clients, unsigned newcomers_per_second) {
  return files_for_each * (std::size_t{clients} + newcomers_per_second) + other_files;
}

unsigned clients_possible(unsigned wanted, unsigned newcomers_per_second, std::size_t files) {
  const std::size_t needed = files_wanted(0, newcomers_per_second);
  return static_cast<unsigned>(std::min<std::size_t>(wanted, (files - std::min(files, needed)) / files_for_each));
}

std::string shortfall(std::optional<double> reached_per_second, unsigned wanted_per_second) {
  if (!reached_per_second || *reached_per_second >= tolerance * wanted_per_second) return {};
  return fmt::format("this machine reaches {:.0f} of the {} requests/s asked for", *reached_per_second,
                     wanted_per_second);
}

std::optional<double> MeanRate::at(Clock::time_point now, std::uint64_t answered) const {
  if (now < begin_ || now - begin_ < std::chrono::seconds{2}) return std::nullopt;
  return static_cast<double>(answered - before_) / std::chrono::duration<double>(now - begin_).count();
}

}  // namespace baton::demo
