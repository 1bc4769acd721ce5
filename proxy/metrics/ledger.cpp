#include "proxy/metrics/ledger.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>

#include "proxy/runtime/log.hpp"
#include "proxy/runtime/text.hpp"

namespace baton::metrics {

namespace {

// At the beginning of the memory. Another format would have another mark.
constexpr std::uint64_t mark = 0x31'73'72'65'74'6e'75'63;

// Before the numbers and then the name of a series. All of it is a multiple of eight bytes long.
struct Head {
  std::uint32_t size;         // of the whole series; 0: the list ends here
  std::uint16_t name_length;  // 0: a process is writing it, or died while writing
  std::uint16_t numbers;
};
static_assert(sizeof(Head) == 8);

constexpr std::size_t name_bytes_max = 60'000;
constexpr std::size_t numbers_max = 256;

Head& head_at(std::byte* data, std::size_t at) {
  return *reinterpret_cast<Head*>(data + at);
}

std::size_t size_of(std::size_t name_length, std::size_t numbers) {
  return sizeof(Head) + numbers * 8 + (name_length + 7) / 8 * 8;
}

// What another process wrote may be anything. Nothing: it lies outside the memory.
std::optional<std::size_t> size_at(std::byte* data, std::size_t at) {
  if (at + sizeof(Head) > Ledger::bytes) return std::nullopt;
  const std::uint32_t size = std::atomic_ref(head_at(data, at).size).load(std::memory_order_acquire);
  const bool is_possible = size % 8 == 0 && size <= Ledger::bytes - at;
  return is_possible ? std::optional<std::size_t>(size) : std::nullopt;
}

struct Found {
  std::string_view name;
  std::span<std::uint64_t> numbers;
};
// Nothing: it is not whole.
std::optional<Found> find_at(std::byte* data, std::size_t at, std::size_t size) {
  Head& head = head_at(data, at);
  const std::size_t length = std::atomic_ref(head.name_length).load(std::memory_order_acquire);
  const std::size_t numbers = head.numbers;
  if (length == 0 || numbers == 0 || size_of(length, numbers) > size) return std::nullopt;
  std::byte* const first = data + at + sizeof(Head);
  return Found{{reinterpret_cast<const char*>(first + numbers * 8), length},
               {reinterpret_cast<std::uint64_t*>(first), numbers}};
}

std::optional<runtime::SharedMemory> make_memory() noexcept {
  try {
    runtime::SharedMemory memory = runtime::SharedMemory::create("baton-metrics", Ledger::bytes);
    std::memcpy(memory.data(), &mark, sizeof mark);
    return memory;
  } catch (const std::exception& error) {
    runtime::log::warning("metrics: nothing is counted: {}", error.what());
    return std::nullopt;
  }
}

}  // namespace

std::string label_value(std::string_view value) {
  std::string out;
  for (const char byte : runtime::valid_utf8(value)) {
    switch (byte) {
      case '\\':
        out += "\\\\";
        break;
      case '"':
        out += "\\\"";
        break;
      case '\n':
        out += "\\n";
        break;
      default:
        out += byte;
    }
  }
  return out;
}

std::string series_name(std::string_view family, Labels labels) {
  std::string name(family);
  char before = '{';
  for (const auto& [label, value] : labels) {
    name += before;
    name.append(label).append("=\"");
    name += label_value(value);
    name += '"';
    before = ',';
  }
  if (labels.size() != 0) name += '}';
  return name;
}

std::string server_series(std::string_view family, std::string_view upstream, std::string_view server) {
  return series_name(family, {{"upstream", upstream}, {"server", server}});
}

Ledger::Ledger() {
  auto pages = pages_.lock();
  if (auto memory = make_memory()) pages->memory.push_back(std::move(*memory));
  pages->end = sizeof mark;
}

// Takes up what this and other processes have appended. A series that another one is still writing is passed over; if
// this process needs it, it appends one of the same name.
void Ledger::Pages::read_on() {
  std::byte* const data = this->data();
  for (;;) {
    const auto size = size_at(data, end);
    if (!size || *size == 0) return;
    if (const auto found = find_at(data, end, *size)) by_name.try_emplace(std::string(found->name), found->numbers);
    end += *size;
  }
}

// Writing the size reserves the place. Where two series have the same name, because two processes appended them at the
// same time, both count: `read` adds them up.
Series Ledger::Pages::append(std::string_view name, std::size_t numbers) {
  std::byte* const data = this->data();
  const std::size_t size = size_of(name.size(), numbers);
  for (;;) {
    read_on();
    if (const auto found = by_name.find(name); found != by_name.end()) return found->second;
    if (!size_at(data, end) || size > bytes - end - sizeof(Head)) return {};
    Head& head = head_at(data, end);
    std::uint32_t free = 0;
    if (!std::atomic_ref(head.size).compare_exchange_strong(free, static_cast<std::uint32_t>(size))) continue;
    head.numbers = static_cast<std::uint16_t>(numbers);
    std::memcpy(data + end + sizeof(Head) + numbers * 8, name.data(), name.size());
    std::atomic_ref(head.name_length).store(static_cast<std::uint16_t>(name.size()), std::memory_order_release);
  }
}

Series Ledger::series(std::string_view name, std::size_t numbers) noexcept {
  try {
    auto pages = pages_.lock();
    if (const auto found = pages->by_name.find(name); found != pages->by_name.end()) return found->second;
    const bool is_possible = !name.empty() && name.size() <= name_bytes_max && numbers != 0 && numbers <= numbers_max;
    if (!is_possible || pages->data() == nullptr) return {};
    const Series made = pages->append(name, numbers);
    if (!made && !std::exchange(pages->is_full_told, true)) {
      runtime::log::warning("metrics: there is no room for further series; {} and others are not counted", name);
    }
    return made;
  } catch (const std::bad_alloc&) {
    return {};
  }
}

std::map<std::string, Ledger::Numbers, std::less<>> Ledger::read() {
  auto pages = pages_.lock();
  std::map<std::string, Numbers, std::less<>> all;
  std::byte* const data = pages->data();
  if (data == nullptr) return all;
  for (std::size_t at = sizeof mark;;) {
    const auto size = size_at(data, at);
    if (!size || *size == 0) return all;
    if (const auto found = find_at(data, at, *size)) {
      Numbers& sums = all[std::string(found->name)];
      sums.resize(std::max(sums.size(), found->numbers.size()));
      for (std::size_t i = 0; i < found->numbers.size(); ++i) {
        sums[i] += std::atomic_ref(found->numbers[i]).load(std::memory_order_relaxed);
      }
    }
    at += *size;
  }
}

double Ledger::used() {
  auto pages = pages_.lock();
  if (pages->data() == nullptr) return 0;
  pages->read_on();
  return static_cast<double>(pages->end) / static_cast<double>(bytes);
}

int Ledger::to_pass_on() {
  auto pages = pages_.lock();
  return pages->memory.empty() ? -1 : pages->memory.back().descriptor();
}

bool Ledger::adopt(handoff::UniqueFd memory) {
  auto theirs = runtime::SharedMemory::attach(std::move(memory), bytes);
  if (!theirs || std::memcmp(theirs->data(), &mark, sizeof mark) != 0) return false;
  const auto ours = read();
  {
    auto pages = pages_.lock();
    pages->memory.push_back(std::move(*theirs));
    pages->is_adopted = true;
    pages->end = sizeof mark;
    pages->by_name.clear();
  }
  for (const auto& [name, numbers] : ours) {
    const Series sum = series(name, numbers.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) sum.add(numbers[i], i);
  }
  return true;
}

bool Ledger::is_adopted() {
  return pages_.lock()->is_adopted;
}

Ledger& ledger() {
  static Ledger& ours = *new Ledger;  // threads count to the end of the process
  return ours;
}

}  // namespace baton::metrics
