#include "proxy/tls/openssl.hpp"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace baton::tls {

namespace {

// OpenSSL 3.0 does not wipe some secrets when it frees memory: the traffic secrets in an SSL, the master secret in the
// plaintext of a ticket. So we wipe everything that it frees.
void wipe_and_free(void* memory, const char*, int) {
  if (memory == nullptr) return;
  OPENSSL_cleanse(memory, ::malloc_usable_size(memory));
  std::free(memory);
}

void* allocate(std::size_t bytes, const char*, int) { return std::malloc(bytes); }

void* reallocate(void* memory, std::size_t bytes, const char* file, int line) {
  void* const moved = bytes != 0 ? std::malloc(bytes) : nullptr;
  if (memory == nullptr || (moved == nullptr && bytes != 0)) return moved;
  if (moved != nullptr) std::memcpy(moved, memory, std::min(bytes, ::malloc_usable_size(memory)));
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
