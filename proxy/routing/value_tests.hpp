// What routes ask of named values: each test is that a name is present, or that it has a certain value.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace baton::routing {

// A request's names and values are looked up once each, however many tests there are.
class ValueTests {
 public:
  using Index = std::uint32_t;

  // The number of the test, the same for equal tests. `numbers` counts them.
  Index add_present(const std::string& name, Index& numbers) { return number(draft_[name].present, numbers); }
  Index add_value(const std::string& name, const std::string& value, Index& numbers) {
    return number(draft_[name].values.try_emplace(value, none).first->second, numbers);
  }
  // After the last test was added.
  void finish() {
    for (auto& [name, tests] : draft_) {
      lengths_ |= length_bit(name);
      named_.push_back({name, tests.present, {tests.values.begin(), tests.values.end()}});
    }
    draft_.clear();
  }

  bool empty() const { return named_.empty(); }
  // Nearly always false for a name that no test asks for, without looking at its letters.
  bool may_ask_for(std::string_view name) const { return (lengths_ & length_bit(name)) != 0; }
  // Calls `passed(number)` for each test that this name with this value passes.
  template <class Value, class Passed>
  void judge(std::string_view name, Value value_of, Passed passed) const {
    const auto named = std::ranges::lower_bound(named_, name, {}, &Named::name);
    if (named == named_.end() || named->name != name) return;
    if (named->present != none) passed(named->present);
    if (named->values.empty()) return;
    const std::string_view value = value_of();
    const auto found = std::ranges::lower_bound(named->values, value, {}, &std::pair<std::string, Index>::first);
    if (found != named->values.end() && found->first == value) passed(found->second);
  }

 private:
  static constexpr Index none = UINT32_MAX;
  struct Tests {
    Index present = none;
    std::map<std::string, Index> values;
  };
  struct Named {
    std::string name;
    Index present;
    std::vector<std::pair<std::string, Index>> values;  // sorted
  };

  static std::uint64_t length_bit(std::string_view name) {
    return std::uint64_t{1} << std::min<std::size_t>(name.size(), 63);
  }
  static Index number(Index& test, Index& numbers) { return test == none ? test = numbers++ : test; }

  std::map<std::string, Tests> draft_;
  std::uint64_t lengths_ = 0;  // one bit for each length of a name
  std::vector<Named> named_;   // sorted by name
};

}  // namespace baton::routing
