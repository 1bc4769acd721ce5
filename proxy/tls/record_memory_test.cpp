// How much memory records cost, and what happens when memory runs out: all allocations of this executable are counted.
#include <gtest/gtest.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <string>

#include "proxy/tls/record_layer.hpp"
#include "proxy/tls/testing/record_probe.hpp"

namespace {

thread_local long allocations = 0;
thread_local long allocations_left = -1;                // that OpenSSL may still make; negative: no limit

void* counted(std::size_t bytes) {
  ++allocations;
  return std::malloc(bytes);
}

void* counted_aligned(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  void* memory = nullptr;
  return ::posix_memalign(&memory, alignment, bytes) == 0 ? memory : nullptr;
}

bool is_refused() {
  if (allocations_left < 0) return false;
  if (allocations_left == 0) return true;
  --allocations_left;
  return false;
}

void* openssl_malloc(std::size_t bytes, const char*, int) { return is_refused() ? nullptr : counted(bytes); }
void* openssl_realloc(void* memory, std::size_t bytes, const char*, int) {
  ++allocations;
  return is_refused() ? nullptr : std::realloc(memory, bytes);
}
void openssl_free(void* memory, const char*, int) { std::free(memory); }

// OpenSSL accepts other functions only before its first allocation.
const int openssl_is_counted = CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free);

// Blocks are kept for later use under the address sanitizer too.
[[maybe_unused]] const bool is_source = [] {
  baton::state::memory::set_source({counted_aligned, [](void* memory, std::size_t) noexcept { std::free(memory); }});
  return true;
}();

}  // namespace

void* operator new(std::size_t bytes) {
  if (void* const memory = counted(bytes)) return memory;
  throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace baton::tls {
namespace {

using probe::OtherSide;

TEST(Memory, IsCounted) {
  ASSERT_EQ(openssl_is_counted, 1);
  const long before = allocations;
  OPENSSL_free(OPENSSL_malloc(1));
  delete new int;
  EXPECT_GE(allocations - before, 1);                   // a compiler may leave the second one out
}

TEST(Memory, IsNotAllocatedForARecord) {
  for (const Suite& suite : suites()) {
    SCOPED_TRACE(suite.name);
    state::Leg leg = probe::established_leg(suite, false);
    OtherSide other{*leg.tls};
    const auto records = RecordLayer::make(*leg.tls);
    const std::string plaintext(20'000, 'x');
    const auto come = [&] {
      for (int i = 0; i < 20; ++i) leg.tls->received.append(other.data(std::string(1000, 'x')));
    };
    const auto pass = [&] {
      leg.unsent.append(plaintext);
      records->seal(leg, 1000);
      leg.tls->sealed.clear();
      records->open(leg, plaintext.size());
      EXPECT_EQ(leg.unread.size(), plaintext.size());
      leg.unread.clear();
    };
    come();
    pass();                                             // the blocks it needs are in the free list now
    come();
    const long before = allocations;
    pass();
    EXPECT_EQ(allocations - before, 0);
  }
}

TEST(Memory, ThatIsMissingIsReportedAsSuch) {
  for (const Suite& suite : suites()) {
    SCOPED_TRACE(suite.name);
    state::Leg leg = probe::established_leg(suite, false);
    RecordLayer::make(*leg.tls);                        // what is made once per process exists now
    std::unique_ptr<RecordLayer> records;
    ERR_clear_error();
    long failures = 0;
    for (long left = 0; !records; ++left) {
      allocations_left = left;
      try {
        records = RecordLayer::make(*leg.tls);
      } catch (const std::bad_alloc&) {
        ++failures;
      }
      allocations_left = -1;
      EXPECT_EQ(ERR_peek_error(), 0U);
    }
    EXPECT_GE(failures, 2);
    leg.tls->received.append(OtherSide{*leg.tls}.data("it works"));
    EXPECT_EQ(records->open(leg, 100), Opened::some);
    EXPECT_EQ(leg.unread.view(), "it works");
  }
}

// Keys change completely or not at all.
TEST(Memory, ThatIsMissingLeavesTheKeysAsTheyWere) {
  const Suite& suite = *find_suite(tls13, 0x1301);
  state::Leg leg = probe::established_leg(suite, false);
  const state::TlsSecrets before = leg.tls->read.secrets;
  state::TlsSecrets after = before;
  update_keys(suite, after);
  ERR_clear_error();
  long failures = 0;
  for (long left = 0; leg.tls->read.secrets == before; ++left) {
    allocations_left = left;
    try {
      update_keys(suite, leg.tls->read.secrets);
    } catch (const std::bad_alloc&) {
      ++failures;
      EXPECT_EQ(leg.tls->read.secrets, before);
    }
    allocations_left = -1;
    EXPECT_EQ(ERR_peek_error(), 0U);
  }
  EXPECT_GE(failures, 3);
  EXPECT_EQ(leg.tls->read.secrets, after);
}

}  // namespace
}  // namespace baton::tls
