#include "proxy/runtime/shared_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace baton::runtime {

namespace {

constexpr int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

std::span<std::byte> map(int descriptor, std::size_t bytes) {
  void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (mapped == MAP_FAILED) return {};
  return {static_cast<std::byte*>(mapped), bytes};
}

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

SharedMemory::SharedMemory(handoff::UniqueFd descriptor, std::span<std::byte> bytes)
    : descriptor_(std::move(descriptor)), bytes_(bytes) {}

SharedMemory SharedMemory::create(const char* name, std::size_t bytes) {
  handoff::UniqueFd descriptor(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!descriptor) fail("shared memory cannot be made");
  if (::ftruncate(descriptor.get(), static_cast<off_t>(bytes)) != 0) fail("shared memory cannot be sized");
  if (::fcntl(descriptor.get(), F_ADD_SEALS, seals) != 0) fail("shared memory cannot be sealed");
  const auto mapped = map(descriptor.get(), bytes);
  if (mapped.empty()) fail("shared memory cannot be mapped");
  return {std::move(descriptor), mapped};
}

std::optional<SharedMemory> SharedMemory::attach(handoff::UniqueFd descriptor, std::size_t bytes) {
  struct stat info{};
  const int sealed = ::fcntl(descriptor.get(), F_GET_SEALS);
  if (sealed < 0 || (sealed & seals) != seals) return std::nullopt;
  if (::fstat(descriptor.get(), &info) != 0 || info.st_size != static_cast<off_t>(bytes)) return std::nullopt;
  const auto mapped = map(descriptor.get(), bytes);
  if (mapped.empty()) return std::nullopt;
  return SharedMemory(std::move(descriptor), mapped);
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : descriptor_(std::move(other.descriptor_)), bytes_(std::exchange(other.bytes_, {})) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  if (this == &other) return *this;
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
  descriptor_ = std::move(other.descriptor_);
  bytes_ = std::exchange(other.bytes_, {});
  return *this;
}

SharedMemory::~SharedMemory() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

}  // namespace baton::runtime
