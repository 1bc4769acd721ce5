#include "proxy/tls/openssl.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "proxy/state/memory.hpp"
#include "proxy/tls/lasting.hpp"

namespace baton::tls {

namespace {

// What stands before each block of OpenSSL's.
struct alignas(std::max_align_t) Head {
  std::size_t bytes;  // the head's included
  bool is_lasting;
};

void* allocate(std::size_t bytes, const char*, int) {
  if (bytes > std::numeric_limits<std::size_t>::max() - sizeof(Head)) return nullptr;
  const std::size_t all = bytes + sizeof(Head);
  const bool is_lasting = Lasting::is_here && all <= state::memory::small_bytes_max;
  void* memory = nullptr;
  try {
    memory = is_lasting ? state::allocate(all) : std::malloc(all);
  } catch (const std::bad_alloc&) {
    // No exception may cross OpenSSL.
  }
  if (memory == nullptr) return nullptr;
  return new (memory) Head{all, is_lasting} + 1;
}

// OpenSSL 3.0 does not wipe some secrets when it frees memory: the traffic secrets in an SSL, the master secret in the
// plaintext of a ticket. So we wipe everything that it frees.
void wipe_and_free(void* memory, const char*, int) {
  if (memory == nullptr) return;
  Head* const block = static_cast<Head*>(memory) - 1;
  const Head head = *block;
  OPENSSL_cleanse(memory, head.bytes - sizeof(Head));
  head.is_lasting ? state::deallocate(block, head.bytes) : std::free(block);
}

void* reallocate(void* memory, std::size_t bytes, const char* file, int line) {
  void* const moved = bytes != 0 ? allocate(bytes, file, line) : nullptr;
  if (memory == nullptr || (moved == nullptr && bytes != 0)) return moved;
  const std::size_t before = (static_cast<Head*>(memory) - 1)->bytes - sizeof(Head);
  if (moved != nullptr) std::memcpy(moved, memory, std::min(bytes, before));
  wipe_and_free(memory, file, line);
  return moved;
}

// OpenSSL accepts this only before its first allocation, so it runs before `main`.
[[maybe_unused]] const bool wipes = CRYPTO_set_mem_functions(allocate, reallocate, wipe_and_free) == 1;

}  // namespace

std::string last_error() {
  // The first error says what went wrong; later ones say which callers noticed.
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown reason";
  if (const char* reason = ERR_reason_error_string(code)) return reason;
  char text[256];
  ERR_error_string_n(code, text, sizeof text);
  return text;
}

}  // namespace baton::tls
