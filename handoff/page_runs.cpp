#include "handoff/page_runs.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

namespace baton::handoff {

namespace {

// Free memory that is kept, since to give it back and to get it again costs more than most runs are in use.
constexpr std::size_t kept_bytes_max = 4 * 1024 * 1024;

}  // namespace

PageRuns::PageRuns(char* begin, std::size_t bytes, std::size_t unit) : unit_(unit) {
  Run& all = runs_.try_emplace(begin).first->second;
  all.begin = begin;
  all.bytes = bytes / unit * unit;
  put_in_bin(all);
}

std::size_t PageRuns::bin_of(std::size_t bytes) {
  return static_cast<std::size_t>(std::bit_width(bytes)) - 1;
}

// A free run of the next larger size fits for certain; of the same size each is looked at.
PageRuns::Run* PageRuns::find(std::size_t bytes) {
  for (std::size_t bin = bin_of(bytes); bin < bins_.size(); ++bin) {
    for (Run* run = bins_[bin]; run != nullptr; run = run->next) {
      if (run->bytes >= bytes) return run;
    }
  }
  return nullptr;
}

void PageRuns::put_in_bin(Run& run) {
  run.is_free = true;
  Run*& first = bins_[bin_of(run.bytes)];
  run.previous = nullptr;
  run.next = first;
  if (first != nullptr) first->previous = &run;
  first = &run;
}

void PageRuns::take_from_bin(Run& run) {
  run.is_free = false;
  (run.previous != nullptr ? run.previous->next : bins_[bin_of(run.bytes)]) = run.next;
  if (run.next != nullptr) run.next->previous = run.previous;
}

void* PageRuns::take(std::size_t bytes) {
  bytes = std::max(unit_, (bytes + unit_ - 1) / unit_ * unit_);
  const std::lock_guard lock(mutex_);
  Run* run = find(bytes);
  if (run == nullptr && give_back_all_that_is_kept()) run = find(bytes);
  if (run == nullptr) return nullptr;
  if (run->bytes > bytes) {
    Run& rest = runs_.try_emplace(run->begin + bytes).first->second;
    take_from_bin(*run);
    rest.begin = run->begin + bytes;
    rest.bytes = run->bytes - bytes;
    rest.is_kept = run->is_kept;
    run->bytes = bytes;
    put_in_bin(rest);
  } else {
    take_from_bin(*run);
  }
  if (std::exchange(run->is_kept, false)) kept_ -= bytes;
  taken_ += bytes;
  return run->begin;
}

// Only runs that both have memory, or both have none, so that it is known how much is kept.
void PageRuns::merge_with_next(Runs::iterator first) noexcept {
  const auto second = std::next(first);
  if (second == runs_.end() || !second->second.is_free || second->second.is_kept != first->second.is_kept) return;
  take_from_bin(first->second);
  take_from_bin(second->second);
  first->second.bytes += second->second.bytes;
  runs_.erase(second);
  put_in_bin(first->second);
}

// If the system does not take it, it stays for the next use.
void PageRuns::give_back(Run& run) noexcept {
  ::madvise(run.begin, run.bytes, MADV_REMOVE);
}

void PageRuns::give(void* memory, std::size_t) noexcept {
  const std::lock_guard lock(mutex_);
  const auto at = runs_.find(static_cast<char*>(memory));
  Run& run = at->second;
  taken_ -= run.bytes;
  run.is_kept = kept_ + run.bytes <= kept_bytes_max;
  if (run.is_kept) {
    kept_ += run.bytes;
  } else {
    give_back(run);
  }
  put_in_bin(run);
  merge_with_next(at);
  if (at != runs_.begin() && std::prev(at)->second.is_free) merge_with_next(std::prev(at));
}

bool PageRuns::give_back_all_that_is_kept() noexcept {
  if (kept_ == 0) return false;
  for (auto& [begin, run] : runs_) {
    if (!std::exchange(run.is_kept, false)) continue;
    give_back(run);
    kept_ -= run.bytes;
  }
  for (auto at = runs_.begin(); at != runs_.end();) {
    const std::size_t before = runs_.size();
    if (at->second.is_free) merge_with_next(at);
    if (runs_.size() == before) ++at;
  }
  return true;
}

std::size_t PageRuns::taken() const {
  const std::lock_guard lock(mutex_);
  return taken_;
}

std::size_t PageRuns::kept() const {
  const std::lock_guard lock(mutex_);
  return kept_;
}

}  // namespace baton::handoff
