// Everything that a state owns comes from its allocator (state/memory.hpp): these tests run conversations of every kind
// through a real worker and, after each event, search the states for pointers to other memory.
#include <gtest/gtest.h>

#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "proxy/state/codec.hpp"
#include "proxy/worker/testing/loopback_plays.hpp"

extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t many, std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
void __libc_free(void* memory);
}

namespace {

// An allocator for the books themselves, which are not recorded in them.
template <class Value>
struct Unnoted {
  using value_type = Value;
  Unnoted() = default;
  template <class Other>
  Unnoted(const Unnoted<Other>&) {}
  Value* allocate(std::size_t many) { return static_cast<Value*>(__libc_malloc(many * sizeof(Value))); }
  void deallocate(Value* memory, std::size_t) { __libc_free(memory); }
  bool operator==(const Unnoted&) const { return true; }
};

// The memory in use, by start address: blocks that states have allocated, and all others.
using Address = std::uintptr_t;
using Sizes = std::map<Address, std::size_t, std::less<>, Unnoted<std::pair<const Address, std::size_t>>>;
struct Books {
  Sizes of_states;
  Sizes elsewhere;
};
Books* books = nullptr;
bool is_noting = false;

Address address_of(const void* memory) {
  return reinterpret_cast<Address>(memory);
}

void* noted(void* memory, std::size_t bytes) {
  if (is_noting && memory != nullptr) books->elsewhere[address_of(memory)] = bytes;
  return memory;
}
void forget(void* memory) {
  if (books != nullptr) books->elsewhere.erase(address_of(memory));
}

// Allocates each block separately and zeroed, so that the search finds no stale contents.
void* take(std::size_t bytes, std::size_t) {
  void* const memory = __libc_calloc(1, bytes);
  if (memory != nullptr) books->of_states[address_of(memory)] = bytes;
  return memory;
}
void give(void* memory, std::size_t) noexcept {
  books->of_states.erase(address_of(memory));
  __libc_free(memory);
}

[[maybe_unused]] const bool is_source = [] {
  books = new (__libc_malloc(sizeof(Books))) Books;
  baton::state::memory::set_source({take, give, true});
  return true;
}();

}  // namespace

extern "C" void* malloc(std::size_t bytes) {
  return noted(__libc_malloc(bytes), bytes);
}
extern "C" void* calloc(std::size_t many, std::size_t bytes) {
  return noted(__libc_calloc(many, bytes), many * bytes);
}
extern "C" void* realloc(void* memory, std::size_t bytes) {
  forget(memory);
  return noted(__libc_realloc(memory, bytes), bytes);
}
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return noted(__libc_memalign(alignment, bytes), bytes);
}
extern "C" int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  *memory = noted(__libc_memalign(alignment, bytes), bytes);
  return *memory != nullptr ? 0 : ENOMEM;
}
extern "C" void free(void* memory) {
  forget(memory);
  __libc_free(memory);
}

namespace baton::proxy {
namespace {

// Follows every word that points to the beginning of a block, in the value and in the states' memory reached from it.
// It knows nothing of how a state is composed.
class Search {
 public:
  template <class Value>
  explicit Search(const Value& value) {
    look_through(address_of(&value), sizeof value);
  }
  // The number of pointers to memory that no state has allocated.
  int strange() const { return strange_; }
  std::size_t blocks() const { return seen_.size(); }

 private:
  void look_through(Address from, std::size_t bytes) {
    if (bytes >= state::Buffer::block_bytes) return;  // a buffer's block: it holds only bytes from peers
    for (Address at = from; at + sizeof(Address) <= from + bytes; at += sizeof(Address)) {
      Address word = 0;
      std::memcpy(&word, reinterpret_cast<const void*>(at), sizeof word);
      strange_ += books->elsewhere.contains(word) ? 1 : 0;
      const auto block = books->of_states.find(word);
      if (block != books->of_states.end() && seen_.insert(word).second) look_through(word, block->second);
    }
  }

  int strange_ = 0;
  std::set<Address, std::less<>, Unnoted<Address>> seen_;
};

class OwnedMemory : public testing::Test {
 protected:
  void SetUp() override { is_noting = true; }
  void TearDown() override { is_noting = false; }
};

TEST_F(OwnedMemory, TheSearchFindsMemoryOfAnotherKind) {
  struct Content {
    state::String name = "a name that is too long to lie in it";
    std::string other;
  };
  struct Owner {
    state::Boxed<Content> box{Content{}};
  };
  Owner owner;
  EXPECT_EQ(Search(owner).strange(), 0);
  EXPECT_EQ(Search(owner).blocks(), 2U);
  owner.box->other = "another one that is too long for that";
  EXPECT_EQ(Search(owner).strange(), 1);
}

// The kinds of states that occurred.
std::set<std::string> kinds;

void note_kind(const state::ConnectionState& state) {
  using namespace state;
  const auto note_leg = [](const std::string& name, const Leg& leg) {
    if (!leg.tls) return;
    const bool is_past = leg.tls->stage == TlsStage::records;
    kinds.insert(name + (!is_past ? " in a handshake" : leg.tls->version == 0x0304 ? " 1.3" : " 1.2"));
  };
  note_leg("client", state.client);
  if (state.upstream() != nullptr) note_leg("upstream", *state.upstream());
  kinds.insert(std::string(phase_name(state)));
  if (!state.exchange) return;
  if (state.exchange->access) kinds.insert("access");
  if (std::holds_alternative<Raw>(state.protocol)) {
    if (state.exchange->status == 101) kinds.insert("websocket");
    return;
  }
  const auto note_body = [](const std::string& name, const BodyFraming& body) {
    constexpr std::array names{"none", "length", "chunks", "until close"};
    kinds.insert(name + names[body.index()]);
  };
  note_body("upload: ", state.exchange->request.body);
  const auto* relaying = std::get_if<Relaying>(&state.exchange->phase);
  if (relaying == nullptr) return;
  const auto* relayed = std::get_if<ResponseRelayed>(&relaying->response);
  if (relayed != nullptr) note_body("download: ", relayed->body);
  if (relayed != nullptr && relayed->may_be_quiet) kinds.insert("events");
}

// Where an alternative of a variant has no bytes, nothing else lies.
struct Zeroed {
  explicit Zeroed(state::ConnectionState&& from) { new (bytes) state::ConnectionState(std::move(from)); }
  Zeroed(const Zeroed&) = delete;
  ~Zeroed() { state().~ConnectionState(); }
  state::ConnectionState& state() { return *std::launder(reinterpret_cast<state::ConnectionState*>(bytes)); }
  alignas(state::ConnectionState) char bytes[sizeof(state::ConnectionState)] = {};
};

void expect_owned(const state::ConnectionState& state) {
  note_kind(state);
  EXPECT_EQ(Search(state).strange(), 0) << phase_name(state);
  // The same holds for a decoded state, as in a take-back or in a successor.
  auto moved = state::decode(state::encode(state), state::encode_secrets(state).view(), 0);
  if (!moved) return;  // in its handshake
  Zeroed there(std::move(std::get<state::ConnectionState>(*moved)));
  EXPECT_EQ(Search(there.state()).strange(), 0) << phase_name(state);
  Zeroed copy(state::ConnectionState(there.state()));
  EXPECT_EQ(Search(copy.state()).strange(), 0) << phase_name(state);
  EXPECT_GE(Search(copy.state()).blocks(), (state.client.tls ? 1U : 0U) + (state.exchange ? 1U : 0U));
}

void keep_access(Scene& scene) {
  auto settings = std::make_shared<Settings>(*scene.settings);
  settings->config.log.access = config::AccessLog{};
  settings->rules = routing::rules_of(settings->config);
  settings->routes = routing::RouteTable(settings->config);
  scene.settings = std::move(settings);
}

std::vector<Play> all_plays() {
  std::vector<Play> all = plays(100'000);
  const std::string fields =
      "Referer: http://elsewhere.test/a/long/path\r\nUser-Agent: " + std::string(2'000, 'x') + "\r\n";
  all.push_back(
      {.name = "an event stream, and a client that tells much of itself",
       .client = {{"", request("GET /a/path/that/is/not/short", fields)}, {"data: 2", "", true}},
       .origin = {{"\r\n\r\n", ok + "Content-Type: text/event-stream\r\n\r\ndata: 1\n\n"}, {"", "data: 2\n\n", true}},
       .closes = true});
  all.push_back({.name = "what is no request", .client = {{"", "nonsense\r\n\r\n"}}, .origin = {}, .closes = true});
  return all;
}

TEST_F(OwnedMemory, NoStatePointsElsewhere) {
  kinds.clear();
  for (const int version : {0, TLS1_2_VERSION, TLS1_3_VERSION}) {
    Scene scene({.client = version, .origin = version});
    keep_access(scene);
    for (const Play& play : all_plays()) {
      SCOPED_TRACE(play.name + ", TLS " + std::to_string(version));
      const std::size_t before = books->of_states.size();
      {
        Stage stage(play, scene);
        const Witnessed seen = stage.run([&](std::size_t events, Stage& here) {
          // At growing intervals, because each move restarts an attempt to connect.
          if (std::has_single_bit(events)) here.move(events % 3 == 1 ? Outcome::adopted : Outcome::taken_back);
          here.serving().each(expect_owned);
        });
        EXPECT_TRUE(seen.finished);
      }
      EXPECT_EQ(books->of_states.size(), before) << "all of it was freed";
      if (HasFailure()) return;
    }
  }
  const std::set<std::string> expected{"idle",
                                       "head",
                                       "exchange",
                                       "tunnel",
                                       "closing",
                                       "access",
                                       "websocket",
                                       "events",
                                       "client in a handshake",
                                       "client 1.2",
                                       "client 1.3",
                                       "upstream 1.2",
                                       "upstream 1.3",
                                       "upload: none",
                                       "upload: length",
                                       "upload: chunks",
                                       "download: none",
                                       "download: length",
                                       "download: chunks",
                                       "download: until close"};
  EXPECT_EQ(kinds, expected);
}

}  // namespace
}  // namespace baton::proxy
