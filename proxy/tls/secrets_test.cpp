// Keys leave nothing behind: while a test watches, each freed block of memory is searched for them.
#include <gtest/gtest.h>
#include <malloc.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>
#include <optional>

#include "proxy/state/codec.hpp"
#include "proxy/state/memory.hpp"
#include "proxy/tls/record_layer.hpp"
#include "proxy/tls/self_test.hpp"
#include "proxy/tls/testing/leg.hpp"

namespace {

std::array<unsigned char, 16> watched;           // the beginning of a key
bool watching = false;
int found = 0;

void give_back(void* block) {
  if (watching && block != nullptr) {
    const auto* const bytes = static_cast<const unsigned char*>(block);
    const auto* const end = bytes + ::malloc_usable_size(block);
    if (std::search(bytes, end, watched.begin(), watched.end()) != end) {
      ++found;
    }
  }
  std::free(block);
}

int blocks = 0;  // of states, in use

void* take_block(std::size_t bytes, std::size_t) {
  ++blocks;
  return std::malloc(bytes);
}
void give_block(void* block, std::size_t) noexcept {
  --blocks;
  give_back(block);
}

[[maybe_unused]] const bool is_source = (baton::state::memory::set_source({take_block, give_block, true}), true);

}  // namespace

void* operator new(std::size_t bytes) {
  if (void* block = std::malloc(std::max<std::size_t>(bytes, 1))) return block;
  throw std::bad_alloc();
}
void operator delete(void* block) noexcept { give_back(block); }
void operator delete(void* block, std::size_t) noexcept { give_back(block); }

namespace baton::tls {
namespace {

void watch(const std::array<unsigned char, 32>& key) {
  std::copy_n(key.begin(), watched.size(), watched.begin());
  found = 0;
  watching = true;
}
int stop_watching() {
  watching = false;
  watched.fill(0);
  return found;
}

TEST(Secrets, TheWatchSeesAKeyThatIsLeftBehind) {
  auto key = std::make_unique<std::array<unsigned char, 32>>();
  key->fill('k');
  watch(*key);
  key.reset();
  EXPECT_EQ(stop_watching(), 1);
}

TEST(Secrets, AreZeroWhereTheyWere) {
  alignas(state::TlsSecrets) unsigned char memory[sizeof(state::TlsSecrets)];
  auto* const secrets = new (memory) state::TlsSecrets;
  secrets->traffic.fill('t');
  secrets->key.fill('k');
  secrets->iv.fill('i');
  secrets->~TlsSecrets();
  for (const volatile unsigned char& byte : memory) ASSERT_EQ(byte, 0);
}

TEST(Secrets, NothingOfAConnectionIsFoundAfterItsHandshakeItsMoveAndItsEnd) {
  run_self_test();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const bool is_client : {false, true}) {
      const SslCtxPtr ours = make_context(is_client ? TLS_client_method() : TLS_server_method(), config::TlsMinimum::tls12);
      const SslCtxPtr theirs = test::context_of(is_client ? TLS_server_method() : TLS_client_method(), version);
      test::identify(is_client ? theirs.get() : ours.get(), test::authority());
      auto end = std::make_unique<test::Ours>(ours.get());
      test::Peer peer(theirs.get());
      test::shake_hands(*end, peer);
      ASSERT_TRUE(end->is_done());
      watch(end->tls().write.secrets.key);
      ASSERT_TRUE(test::understand(*end, peer));

      state::ConnectionState connection;
      connection.client = std::move(end->leg);
      end.reset();
      {
        const std::string payload = state::encode(connection);
        const handoff::SecretBytes secrets = state::encode_secrets(connection);
        EXPECT_EQ(payload.find(std::string_view(reinterpret_cast<const char*>(watched.data()), watched.size())), std::string::npos);
        auto moved = state::decode(payload, secrets.view(), 0);
        ASSERT_TRUE(moved && std::get<state::ConnectionState>(*moved).client.tls->write == connection.client.tls->write);
      }
      connection = {};
      EXPECT_EQ(stop_watching(), 0) << (is_client ? "as a client, " : "as a server, ") << version;
    }
  }
}

// Two for each cipher: what OpenSSL gives its callers, and what its provider has.
TEST(Ciphers, LieInTheMemoryOfStates) {
  run_self_test();
  for (const Suite& suite : suites()) {
    SCOPED_TRACE(suite.name);
    state::Tls tls;
    tls.stage = state::TlsStage::records;
    tls.version = suite.version;
    tls.suite = suite.id;
    ASSERT_TRUE(RecordLayer::can_speak(tls));
    const int before = blocks;
    auto records = RecordLayer::make(tls);
    ASSERT_TRUE(records);
    EXPECT_EQ(blocks - before, 1 + 4);
    void* const other = OPENSSL_malloc(100);  // does not last
    EXPECT_EQ(blocks - before, 1 + 4);
    OPENSSL_free(other);
    records.reset();
    EXPECT_EQ(blocks, before);
  }
}

}  // namespace
}  // namespace baton::tls
