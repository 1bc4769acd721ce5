#include "proxy/upstream/loads.hpp"

#include <set>
#include <string>
#include <utility>

namespace baton::upstream {

namespace {

constexpr std::size_t lines = 4096;
constexpr std::uint64_t layout = 0x4261746f6e4c0001;

// A line: the hash of its server, or 0, and a count for each of so many generations in turn. More than two are in use
// only while old processes still serve what could not move.
constexpr std::size_t columns = rates::words_per_line - 1;
unsigned column_of(std::uint64_t generation) {
  return static_cast<unsigned>(1 + generation % columns);
}

// A server's line is one of so many behind each other.
constexpr std::size_t places = 16;

// What another process may claim.
constexpr std::int64_t count_max = 1'000'000'000;

}  // namespace

struct Load::Memory {
  explicit Memory(rates::HashedLines from) : of(std::move(from)) {}
  rates::HashedLines of;
  std::atomic<unsigned> beside{0};  // the other process's column; 0: there is no other
};

std::int64_t Load::elsewhere() const {
  if (line_ == nullptr) return 0;
  const unsigned column = memory_->beside.load(std::memory_order_relaxed);
  if (column == 0) return 0;
  // After `add` of this process and before that of the other, or the reverse: one of them sees both.
  const auto count = static_cast<std::int64_t>(rates::Word(line_[column]).load());
  return std::clamp<std::int64_t>(count, 0, count_max);
}

void Loads::make_room() {
  if (memory_) return;
  memory_ = std::make_shared<Load::Memory>(rates::HashedLines::create("baton-in-flight", layout, lines));
}

int Loads::to_pass_on() const {
  return memory_ ? memory_->of.descriptor() : -1;
}

bool Loads::adopt(handoff::UniqueFd memory) {
  auto attached = rates::HashedLines::attach(std::move(memory), layout, lines);
  if (!attached) return false;
  memory_ = std::make_shared<Load::Memory>(std::move(*attached));
  return true;
}

std::uint64_t* Loads::line_for(std::uint64_t hash) const {
  std::uint64_t* free = nullptr;
  for (std::size_t i = 0; i < places; ++i) {
    std::uint64_t* const line = memory_->of.line(hash + i);
    const std::uint64_t server = rates::Word(line[0]).load();
    if (server == hash) return line;
    if (server == 0 && free == nullptr) free = line;
  }
  if (free != nullptr) rates::Word(free[0]).store(hash);
  return free;
}

void Loads::forget_others(const std::vector<std::shared_ptr<const Load>>& all) const {
  std::set<const std::uint64_t*> used;
  for (const auto& load : all) used.insert(load->line_);
  for (std::size_t i = 0; i < lines; ++i) {
    std::uint64_t* const line = memory_->of.line(i);
    if (!used.contains(line)) rates::Word(line[0]).store(0);
  }
}

void Loads::settle(Load& load, std::string_view upstream, std::string_view address, const All& all) {
  if (std::exchange(load.is_settled_, true) || !memory_) return;
  const std::string server = std::string(upstream) + '\0' + std::string(address);
  const std::uint64_t hash = std::max<std::uint64_t>(memory_->of.hash(server), 1);
  std::uint64_t* line = line_for(hash);
  if (line == nullptr && memory_->beside == 0) {
    forget_others(all());
    line = line_for(hash);
  }
  if (line == nullptr) return;
  load.memory_ = memory_;
  load.line_ = line;
  load.here_ = &line[column_of(generation_)];
  rates::Word(*load.here_).store(0);
}

void Loads::join(std::uint64_t generation) {
  if (memory_) memory_->beside = column_of(generation);
}

void Loads::be_alone() {
  if (memory_) memory_->beside = 0;
}

void Loads::prepare_for_successor(Load& load) const {
  if (load.line_ != nullptr) rates::Word(load.line_[column_of(generation_ + 1)]).store(0);
}

}  // namespace baton::upstream
