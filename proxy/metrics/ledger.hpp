// The counters of an instance. They lie in memory that all its processes share: a successor, a process that gives the
// service back and one that replaces a crashed one go on adding to it, so no counter ever goes back or jumps.
//
// The memory is a list of series that only grows. A series is its name, as Prometheus writes it without the prefix
// (`requests_total{listener="web",code="2xx"}`), and one number or, for a histogram, several. A version that does not
// know a series leaves it as it is.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "handoff/guarded.hpp"
#include "handoff/unique_fd.hpp"
#include "proxy/runtime/shared_memory.hpp"

namespace baton::metrics {

// The numbers of a series. Valid as long as the process. Any thread.
class Series {
 public:
  Series() = default;  // counts nothing
  explicit Series(std::span<std::uint64_t> numbers) : numbers_(numbers) {}

  explicit operator bool() const { return !numbers_.empty(); }
  void add(std::uint64_t number, std::size_t at = 0) const {
    if (at < numbers_.size()) std::atomic_ref(numbers_[at]).fetch_add(number, std::memory_order_relaxed);
  }

 private:
  std::span<std::uint64_t> numbers_;
};

// A label's value: the format has three escapes, and requires UTF-8.
std::string label_value(std::string_view value);

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;
// `family{label="value",…}`.
std::string series_name(std::string_view family, Labels labels);

// The series of one server of an upstream.
std::string server_series(std::string_view family, std::string_view upstream, std::string_view server);

class Ledger {
 public:
  // A part of the format: processes of other versions map the same memory.
  static constexpr std::size_t bytes = std::size_t{16} << 20;

  // Without memory if the system gives none, and then nothing is counted.
  Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // The series of that name, which begins at zero. Empty: it cannot be counted, for lack of memory or because the
  // ledger is full. Any thread.
  Series series(std::string_view name, std::size_t numbers = 1) noexcept;
  // The same, and adds to it.
  void add(std::string_view name, std::uint64_t number = 1) noexcept { series(name).add(number); }

  // All series by name.
  using Numbers = std::vector<std::uint64_t>;
  std::map<std::string, Numbers, std::less<>> read();

  // How much of the memory is used, from 0 to 1.
  double used();
  // For another process; -1: there is no memory. Stays ours.
  int to_pass_on();
  // Goes on in the memory of a predecessor, with what was counted here so far. False: it is nothing of the kind. While
  // no other thread counts.
  bool adopt(handoff::UniqueFd memory);
  // It shares its memory with the predecessor, whose counters need not be added to ours.
  bool is_adopted();

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };
  struct Pages {
    std::vector<runtime::SharedMemory> memory;  // the last one is used; series of earlier ones may still be held
    bool is_adopted = false;
    bool is_full_told = false;
    std::size_t end = 0;  // up to here the list has been read
    std::unordered_map<std::string, Series, Hash, std::equal_to<>> by_name;

    std::byte* data() const { return memory.empty() ? nullptr : memory.back().data(); }
    void read_on();
    Series append(std::string_view name, std::size_t numbers);
  };

  handoff::Guarded<Pages> pages_;
};

// That of this process.
Ledger& ledger();

}  // namespace baton::metrics
