#include "proxy/keeper/arena.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <new>
#include <stdexcept>
#include <system_error>

namespace baton::keeper {

namespace {

// Addresses cost nothing until their pages are used. States never need as much.
constexpr std::size_t slabs_bytes = std::size_t{128} << 30;
constexpr std::size_t large_bytes = std::size_t{256} << 30;
constexpr std::size_t part_under_valgrind = 16;  // which has 64 GB of addresses for a program
constexpr std::size_t slab_alignment = 64 * 1024;
constexpr std::size_t page_bytes = 4096;

constexpr std::size_t rounded_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

void* map(std::size_t bytes) {
  return ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

Arena* source = nullptr;  // of this process

}  // namespace

void Control::set_lock(int descriptor) {
  struct stat file{};
  if (::fstat(descriptor, &file) != 0) descriptor = -1;
  // There must be no moment without a lock while it stays the same.
  if (descriptor == lock_descriptor && lock_file() == handoff::FileIdentity{file.st_dev, file.st_ino}) return;
  lock_descriptor = -1;
  lock_device = file.st_dev;
  lock_inode = file.st_ino;
  lock_descriptor = descriptor;
}

Arena::Arena(std::size_t descriptors) {
  const std::size_t head_bytes = rounded_up(rounded_up(sizeof(Control), 64) + Roster::bytes_for(descriptors), slab_alignment);
  std::size_t slabs = slabs_bytes, large = large_bytes;
  const auto map_all = [&] { return map(bytes_ = head_bytes + slabs + large + slab_alignment); };
  void* mapped = map_all();
  if (mapped == MAP_FAILED && errno == EINVAL) {  // by valgrind; Linux says ENOMEM
    slabs /= part_under_valgrind;
    large /= part_under_valgrind;
    mapped = map_all();
  }
  if (mapped == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "no memory to share with a keeper");
  begin_ = static_cast<char*>(mapped);
  ::madvise(begin_, bytes_, MADV_DONTDUMP);
  char* const aligned = reinterpret_cast<char*>(rounded_up(reinterpret_cast<std::uintptr_t>(begin_), slab_alignment));
  control_ = new (aligned) Control;
  roster_ = new (aligned + rounded_up(sizeof(Control), 64)) Roster(descriptors);
  slabs_ = std::make_unique<handoff::PageRuns>(aligned + head_bytes, slabs, slab_alignment);
  large_begin_ = aligned + head_bytes + slabs;
  large_ = std::make_unique<handoff::PageRuns>(large_begin_, large, page_bytes);
  source = this;
  state::memory::set_source({take, give, false});
}

void Arena::only_read() {
  source = nullptr;
}

void Arena::keep_from_children() const {
  ::madvise(begin_, bytes_, MADV_DONTFORK);
}

void* Arena::take(std::size_t bytes, std::size_t alignment) {
  if (source == nullptr) return ::operator new(bytes, std::align_val_t(alignment));
  return (alignment == slab_alignment ? source->slabs_ : source->large_)->take(bytes);
}

void Arena::give(void* memory, std::size_t bytes) noexcept {
  if (source == nullptr) return;
  const bool is_slab = static_cast<char*>(memory) < source->large_begin_;
  (is_slab ? source->slabs_ : source->large_)->give(memory, bytes);
}

}  // namespace baton::keeper
