#include "handoff/kept.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <map>
#include <new>
#include <system_error>
#include <utility>

#include "handoff/result.hpp"

namespace baton::handoff {

namespace {

// Addresses cost nothing until their pages are used.
constexpr std::size_t head_bytes = 4096;
constexpr Kept::Place places_max = 1 << 20;
constexpr std::size_t page_bytes = 4096;
constexpr std::size_t blocks_bytes = std::size_t{64} << 30;
// Larger ones get pages of their own, which return to the system.
constexpr std::size_t pooled_bytes_max = 2048;

// ── A parcel as plain bytes, for two processes of one program ───────────────────────────────────────────────────────

template <class Put>
void put_text(std::string_view text, const Put& put) {
  const std::size_t bytes = text.size();
  put(&bytes, sizeof bytes);
  put(text.data(), bytes);
}

template <class Put>
void put_all(const Parcel& parcel, const Put& put) {
  const std::size_t counts[] = {parcel.descriptors.size(), parcel.required_features.size()};
  put(counts, sizeof counts);
  put(parcel.descriptors.data(), parcel.descriptors.size() * sizeof(int));
  for (const std::string& one : parcel.required_features) put_text(one, put);
  put_text(parcel.label, put);
  put_text(parcel.payload, put);
  put_text(parcel.secrets.view(), put);
}

std::size_t size_of(const Parcel& parcel) {
  std::size_t size = 0;
  put_all(parcel, [&](const void*, std::size_t bytes) { size += bytes; });
  return size;
}

void flatten(const Parcel& parcel, char* into) {
  put_all(parcel, [&](const void* from, std::size_t bytes) {
    if (bytes != 0) std::memcpy(into, from, bytes);
    into += bytes;
  });
}

// Believes nothing: the process may have died of writing where it should not.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  std::string_view take(std::size_t bytes) {
    if (bytes > left_.size()) is_right_ = false;
    const std::string_view taken = left_.substr(0, is_right_ ? bytes : 0);
    left_.remove_prefix(taken.size());
    return taken;
  }
  template <class Number>
  Number number() {
    Number value{};
    const std::string_view bytes = take(sizeof value);
    if (is_right_) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::string_view text() { return take(number<std::size_t>()); }
  bool is_right() const { return is_right_; }
  bool is_at_end() const { return is_right_ && left_.empty(); }

 private:
  std::string_view left_;
  bool is_right_ = true;
};

std::optional<Parcel> unflattened(std::string_view bytes) {
  Reader reader(bytes);
  Parcel parcel;
  const auto descriptors = reader.number<std::size_t>();
  const auto features = reader.number<std::size_t>();
  for (std::size_t i = 0; i < descriptors && reader.is_right(); ++i) parcel.descriptors.push_back(reader.number<int>());
  for (std::size_t i = 0; i < features && reader.is_right(); ++i) parcel.required_features.emplace_back(reader.text());
  parcel.label = reader.text();
  parcel.payload = reader.text();
  parcel.secrets = SecretBytes(reader.text());
  if (!reader.is_at_end()) return std::nullopt;
  return parcel;
}

bool is_open(int descriptor) {
  return ::fcntl(descriptor, F_GETFD) >= 0;
}

}  // namespace

// ── Crashes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

CrashesInARow CrashesInARow::and_one_at(std::int64_t unix_us) const {
  return {unix_us - last_unix_us < within_us ? number + 1 : 1, unix_us};
}

std::string CrashesInARow::text() const {
  if (number == 0) return {};
  return "crashes " + std::to_string(number) + ' ' + std::to_string(last_unix_us);
}

CrashesInARow CrashesInARow::from(const std::string& text) {
  CrashesInARow crashes;
  if (std::sscanf(text.c_str(), "crashes %" SCNu64 " %" SCNd64, &crashes.number, &crashes.last_unix_us) != 2) return {};
  return crashes;
}

// ── Memory ──────────────────────────────────────────────────────────────────────────────────────────────────────────

Kept::Pages::Pages(char* begin, std::size_t bytes) : runs_(begin, bytes, page_bytes) {}

void* Kept::Pages::do_allocate(std::size_t bytes, std::size_t) {
  void* const run = runs_.take(bytes);
  if (run == nullptr) throw std::bad_alloc();
  return run;
}

Kept::Kept(std::function<void(const std::string&)> say) : say_(std::move(say)) {
  static_assert(sizeof(Head) <= head_bytes);
  constexpr std::size_t shelves_bytes = (sizeof(Shelf) * places_max + page_bytes - 1) / page_bytes * page_bytes;
  bytes_ = head_bytes + shelves_bytes + blocks_bytes;
  void* const mapped =
      ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "no memory to share with a keeper");
  begin_ = static_cast<char*>(mapped);
  ::madvise(begin_, bytes_, MADV_DONTDUMP);
  head_ = new (begin_) Head;
  shelves_ = reinterpret_cast<Shelf*>(begin_ + head_bytes);  // each is made when it is taken
  pages_ = std::make_unique<Pages>(begin_ + head_bytes + shelves_bytes, blocks_bytes);
  blocks_ = std::make_unique<std::pmr::unsynchronized_pool_resource>(
      std::pmr::pool_options{.max_blocks_per_chunk = 0, .largest_required_pool_block = pooled_bytes_max}, pages_.get());
}

Kept::~Kept() {
  blocks_.reset();
  ::munmap(begin_, bytes_);
}

void Kept::keep_from_children() const {
  ::madvise(begin_, bytes_, MADV_DONTFORK);
}

// ── In the process ──────────────────────────────────────────────────────────────────────────────────────────────────

Kept::Place Kept::take_place() noexcept {
  Place place = head_->places.load(std::memory_order_relaxed);
  if (!free_places_.empty()) {
    place = free_places_.back();
    free_places_.pop_back();
  } else if (place == places_max || !has_room_to_leave(place)) {
    return no_place;
  } else {
    new (&shelves_[place]) Shelf;
    head_->places.store(place + 1, std::memory_order_release);
  }
  shelves_[place].is_taken.store(true, std::memory_order_release);
  return place;
}

// `leave` needs no memory then.
bool Kept::has_room_to_leave(Place place) noexcept {
  return free_places_.capacity() > place || as_result([&]() -> Result<void> {
                                              free_places_.reserve(2 * std::size_t{place} + 64);
                                              return {};
                                            }).has_value();
}

void Kept::leave(Place place) noexcept {
  if (place == no_place) return;
  withdraw(place);
  shelves_[place].is_taken.store(false, std::memory_order_release);
  empty(shelves_[place]);
  free_places_.push_back(place);
}

void Kept::withdraw(Place place) noexcept {
  if (place == no_place) return;
  shelves_[place].is_whole.store(false, std::memory_order_relaxed);
  // The keeper looks when we are dead: only the compiler could put what follows before this.
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

void Kept::publish(Place place, const Parcel& parcel) {
  if (place != no_place) write(shelves_[place], parcel);
}

void Kept::publish_listeners(const Parcel& listeners) {
  write(head_->listeners, listeners);
}

void Kept::write(Shelf& shelf, const Parcel& parcel) {
  shelf.is_whole.store(false, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  const std::size_t size = size_of(parcel);
  if (shelf.has_secrets) ::explicit_bzero(shelf.bytes, shelf.size);
  shelf.has_secrets = false;
  if (size > shelf.room || (shelf.room > pooled_bytes_max && size < shelf.room / 4)) {
    empty(shelf);
    shelf.bytes = static_cast<char*>(blocks_->allocate(size));
    shelf.room = size;
  }
  shelf.size = size;
  shelf.has_secrets = !parcel.secrets.empty();
  flatten(parcel, shelf.bytes);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  shelf.is_whole.store(true, std::memory_order_relaxed);
}

void Kept::empty(Shelf& shelf) noexcept {
  if (shelf.has_secrets) ::explicit_bzero(shelf.bytes, shelf.size);
  shelf.has_secrets = false;
  if (shelf.room != 0) blocks_->deallocate(shelf.bytes, shelf.room);
  shelf.bytes = nullptr;
  shelf.size = shelf.room = 0;
}

void Kept::check(Place place, const std::optional<Parcel>& parcel) {
  if (place == no_place || !shelves_[place].is_whole || head_->control.is_wrong) return;
  const Shelf& shelf = shelves_[place];
  if (parcel && size_of(*parcel) == shelf.size) {
    SecretBytes now(shelf.size);
    flatten(*parcel, now.data());
    if (std::memcmp(now.data(), shelf.bytes, shelf.size) == 0) return;
  }
  head_->control.is_wrong = true;
  say_(
      "a mistake in this program: a connection has changed outside of a Step, or its parcel() is not the same twice; "
      "no connection of this process survives a crash");
}

// ── In the keeper ───────────────────────────────────────────────────────────────────────────────────────────────────

std::optional<Parcel> Kept::read(const Shelf& shelf) const {
  const char* const end = begin_ + bytes_;
  const bool is_inside =
      shelf.bytes >= begin_ && shelf.bytes < end && shelf.size <= static_cast<std::size_t>(end - shelf.bytes);
  if (!shelf.is_whole || !is_inside) return std::nullopt;
  return unflattened({shelf.bytes, shelf.size});
}

Kept::Found Kept::find() const {
  Found found;
  std::vector<Parcel> parcels;
  std::map<int, int> owners;  // how many, by descriptor
  for (Place place = 0; place < std::min(head_->places.load(), places_max); ++place) {
    if (!shelves_[place].is_taken) continue;
    auto parcel = read(shelves_[place]);
    if (!parcel) {
      ++found.lost;
      continue;
    }
    for (const int descriptor : parcel->descriptors) ++owners[descriptor];
    parcel->id = place + 1;
    parcels.push_back(std::move(*parcel));
  }
  for (Parcel& parcel : parcels) {
    const bool is_right = std::ranges::all_of(
        parcel.descriptors, [&](int descriptor) { return owners[descriptor] == 1 && is_open(descriptor); });
    if (is_right) {
      found.whole.push_back(std::move(parcel));
    } else {
      ++found.lost;
    }
  }
  return found;
}

}  // namespace baton::handoff
