// Hands out runs of pages of a mapping that several processes share, and gives their memory back to the system. What is
// known of the runs is private to the process that takes them: the other ones only read what is in them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

namespace baton::handoff {

class PageRuns {
 public:
  // `begin` is aligned to `unit`, a multiple of the size of a page. Runs are multiples of it, and aligned to it.
  PageRuns(char* begin, std::size_t bytes, std::size_t unit);

  // nullptr: no run is large enough. Throws std::bad_alloc. From several threads at once, as `give`.
  void* take(std::size_t bytes);
  // `bytes` as in the call of `take`.
  void give(void* memory, std::size_t bytes) noexcept;

  // Bytes that are taken, and those of free runs whose memory is kept for the next ones.
  std::size_t taken() const;
  std::size_t kept() const;

 private:
  // All runs, free ones and others, are in `runs_`, so that giving one back needs no memory.
  struct Run {
    std::size_t bytes = 0;
    bool is_free = false;
    bool is_kept = false;  // it is free, and has its memory still
    Run* previous = nullptr;  // among free runs of about its size
    Run* next = nullptr;
    char* begin = nullptr;
  };
  using Runs = std::map<char*, Run>;

  static std::size_t bin_of(std::size_t bytes);
  Run* find(std::size_t bytes);
  void put_in_bin(Run& run);
  void take_from_bin(Run& run);
  void give_back(Run& run) noexcept;
  void merge_with_next(Runs::iterator first) noexcept;
  bool give_back_all_that_is_kept() noexcept;

  const std::size_t unit_;
  mutable std::mutex mutex_;
  Runs runs_;
  std::array<Run*, 64> bins_{};  // free runs, by the logarithm of their size
  std::size_t taken_ = 0;
  std::size_t kept_ = 0;
};

}  // namespace baton::handoff
