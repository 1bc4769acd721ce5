#include "scale/crew.hpp"

#include <utility>

namespace baton::harness {

void Crew::add(std::size_t count, const std::string& name, const Address& address, const Habit& habit) {
  for (std::size_t i = 1; i <= count; ++i) {
    threads_.emplace_back(
        [this, name = name + " " + std::to_string(i), address, habit, seed = static_cast<std::uint32_t>(seeds_())] {
          Life life(course_, address, connections_, seed);
          try {
            habit(life);
          } catch (const Failure& failure) {
            std::lock_guard lock(mutex_);
            complaints_.push_back(name + ": " + failure.what());
          }
        });
  }
}

std::vector<std::string> Crew::finish() {
  course_.end();
  for (std::thread& thread : std::exchange(threads_, {})) thread.join();
  std::lock_guard lock(mutex_);
  return std::exchange(complaints_, {});
}

}  // namespace baton::harness
