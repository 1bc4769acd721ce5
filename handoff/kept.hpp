// What an Upgradable's keeper must know when the process has crashed: of each connection the parcel that it would be
// frozen to. It is in memory that the two share: without a name or a descriptor, at the same address in both, and gone
// at exec. The process writes; the keeper reads once the process is dead.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <vector>

#include "handoff/page_runs.hpp"
#include "handoff/parcel.hpp"

namespace baton::handoff {

// How often in a row the process has crashed. It goes from one generation to the next, as a text.
struct CrashesInARow {
  std::uint64_t number = 0;
  std::int64_t last_unix_us = 0;

  static constexpr std::int64_t within_us = 10'000'000;
  CrashesInARow and_one_at(std::int64_t unix_us) const;
  std::string text() const;
  static CrashesInARow from(const std::string& text);  // none if it is another text
};

class Kept {
 public:
  // Of the process as a whole.
  struct Control {
    std::atomic<bool> is_serving{false};  // it is the instance, does not end, and no successor has anything
    std::atomic<bool> is_wrong{false};    // a published parcel was found to be out of date
    std::atomic<int> signal{0};           // the fatal one, if the process could tell
    std::uint64_t generation = 0;
    int lock = -1;  // the descriptor
    int lock_to_pass_on = -1;
    CrashesInARow before;
  };

  // `say` is for the operator. Throws std::system_error.
  explicit Kept(std::function<void(const std::string&)> say);
  ~Kept();
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;

  Control& control() { return head_->control; }
  // In the process, once it has its keeper: no other child gets a copy of the memory.
  void keep_from_children() const;

  // ── Connections ───────────────────────────────────────────────────────────────────────────────────────────────
  using Place = std::uint32_t;
  static constexpr Place no_place = ~Place{0};

  Place take_place() noexcept;  // no_place: too many connections, or no memory
  void leave(Place place) noexcept;
  // From here on a crash takes the connection with it, until the next `publish`.
  void withdraw(Place place) noexcept;
  // Throws std::bad_alloc, withdrawn then.
  void publish(Place place, const Parcel& parcel);
  // A connection that is not as it was published has been run without a Step: says so, and gives up, since after a
  // crash its bytes would be wrong. A withdrawn parcel stays withdrawn.
  void check(Place place, const std::optional<Parcel>& parcel);

  // The listening sockets: names and descriptors.
  void publish_listeners(const Parcel& listeners);

  // ── In the keeper ─────────────────────────────────────────────────────────────────────────────────────────────
  std::optional<Parcel> listeners() const { return read(head_->listeners); }
  // `whole`: their descriptors are open, and no two have the same one. `lost`: how many others there were.
  struct Found {
    std::vector<Parcel> whole;
    std::size_t lost = 0;
  };
  Found find() const;

 private:
  struct Shelf {
    std::atomic<bool> is_taken{false};
    std::atomic<bool> is_whole{false};
    bool has_secrets = false;
    char* bytes = nullptr;
    std::size_t size = 0;
    std::size_t room = 0;
  };
  struct Head {
    Control control;
    Shelf listeners;
    std::atomic<Place> places{0};  // used so far
  };
  // Where pages come from.
  class Pages final : public std::pmr::memory_resource {
   public:
    Pages(char* begin, std::size_t bytes);

   private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override;
    void do_deallocate(void* memory, std::size_t bytes, std::size_t) override { runs_.give(memory, bytes); }
    bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
    PageRuns runs_;
  };

  bool has_room_to_leave(Place place) noexcept;
  void write(Shelf& shelf, const Parcel& parcel);
  void empty(Shelf& shelf) noexcept;
  std::optional<Parcel> read(const Shelf& shelf) const;

  std::function<void(const std::string&)> say_;
  char* begin_ = nullptr;
  std::size_t bytes_ = 0;
  Head* head_ = nullptr;
  Shelf* shelves_ = nullptr;
  // Known to the process alone: where there is room.
  std::unique_ptr<Pages> pages_;
  std::unique_ptr<std::pmr::unsynchronized_pool_resource> blocks_;
  std::vector<Place> free_places_;
};

}  // namespace baton::handoff
