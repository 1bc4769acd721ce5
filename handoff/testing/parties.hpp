// A donor and an adopter whose parcels are socket pairs. The test holds the far end of each, where the owner of a
// parcel can prove ownership. A parcel may have further descriptors. Both record what was done with each parcel.
#pragma once

#include <sys/eventfd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "handoff/parties.hpp"
#include "handoff/testing/channel.hpp"

namespace baton::handoff::test {

// How large a parcel is.
struct Shape {
  std::size_t descriptors = 1;
  std::size_t payload_bytes_min = 0;
  std::size_t secret_bytes_min = 0;
};
inline Shape small(ParcelId id) {
  return {.descriptors = 1 + id % 2};
}
// An HTTP/2 client with a hundred requests, each with a socket of its own and full buffers.
inline constexpr Shape large{.descriptors = 101, .payload_bytes_min = 20u << 20};

inline std::string payload_of(ParcelId id, const Shape& shape = {}) {
  std::string payload = "payload of " + std::to_string(id) + std::string(id % 97, '.');
  payload.resize(std::max(payload.size(), shape.payload_bytes_min), static_cast<char>(id));
  return payload;
}
// Of odd parcels.
inline std::string secret_of(ParcelId id, const Shape& shape = {}) {
  std::string secret = id % 2 == 0 ? "" : "secret of " + std::to_string(id);
  secret.resize(std::max(secret.size(), shape.secret_bytes_min), static_cast<char>(id));
  return secret;
}

// The files of a parcel's further descriptors, used in order and cyclically; each contains its number.
class FurtherFiles {
 public:
  static constexpr std::size_t number_of_files = 7;
  FurtherFiles() {
    for (std::size_t i = 0; i < number_of_files; ++i) {
      files_.push_back(new_file());
      EXPECT_EQ(::pwrite(files_.back().get(), &i, sizeof i, 0), ssize_t{sizeof i});
    }
  }
  int at(std::size_t place) const { return files_[place % number_of_files].get(); }
  static bool is_at(int descriptor, std::size_t place) {
    std::size_t number = 0;
    return ::pread(descriptor, &number, sizeof number, 0) == ssize_t{sizeof number} &&
           number == place % number_of_files;
  }

 private:
  std::vector<UniqueFd> files_;
};

// The predecessor's server.
class FakeDonor : public Donor {
 public:
  struct Fate {
    int adopted = 0, refused = 0, taken_back = 0;
    int answers() const { return adopted + refused + taken_back; }
  };

  explicit FakeDonor(std::size_t parcels, std::size_t per_batch = 1000) : parcels_(parcels), per_batch_(per_batch) {}

  // ── What a test sets ──────────────────────────────────────────────────────────────────────────────────────────
  std::vector<UniqueFd> listening;
  std::set<ParcelId> with_unknown_feature;
  std::function<Shape(ParcelId)> shape = small;
  bool lock_is_free = true;  // what reclaim finds
  bool ever_finished = true;
  std::size_t frozen_max = SIZE_MAX;
  Remaining still_there;
  LeftBehind stays;
  std::function<std::optional<std::string>()> call_off = [] { return std::nullopt; };
  UniqueFd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};

  // ── What it saw ───────────────────────────────────────────────────────────────────────────────────────────────
  std::map<ParcelId, Fate> fates;  // of the parcels that were frozen
  std::map<ParcelId, UniqueFd> far_ends;
  std::vector<std::string> calls;  // all except those for single parcels
  std::vector<std::string> taken_addresses;
  std::size_t most_frozen = 0;  // descriptors of unanswered parcels

  int count(std::string_view call) const { return static_cast<int>(std::count(calls.begin(), calls.end(), call)); }
  std::set<ParcelId> with(int Fate::* fate) const {
    std::set<ParcelId> ids;
    for (const auto& [id, seen] : fates) {
      if (seen.*fate != 0) ids.insert(id);
    }
    return ids;
  }
  // Whatever happened, each frozen parcel was answered exactly once.
  void expect_one_answer_each() const {
    for (const auto& [id, fate] : fates) {
      EXPECT_EQ(fate.answers(), 1) << "parcel " << id << ": adopted " << fate.adopted << ", refused " << fate.refused
                                   << ", taken back " << fate.taken_back;
    }
    EXPECT_EQ(unanswered_, 0u);
  }

  // ── Donor ─────────────────────────────────────────────────────────────────────────────────────────────────────
  Estate estate() override {
    Estate estate;
    for (std::size_t i = 0; i < listening.size(); ++i) {
      estate.sockets.push_back({"web", "127.0.0.1:" + std::to_string(i), listening[i].get()});
    }
    estate.application = "counters";
    estate.configuration = "version: 1";
    estate.executable = executable_.get();
    return estate;
  }
  void stop_accepting(const std::vector<std::string>& taken) override {
    calls.push_back("stop_accepting");
    taken_addresses = taken;
    ::eventfd_write(wake.get(), 1);  // there is something to freeze long before freeze_next is called
  }
  void accept_again() override { calls.push_back("accept_again"); }
  Remaining remaining() override { return still_there; }
  LeftBehind left_behind() override { return stays; }

  Batch freeze_next(const Room& room) override {
    std::uint64_t woken = 0;
    (void)!::read(wake.get(), &woken, sizeof woken);
    Batch batch;
    Room left = room;
    left.connections = std::min(left.connections, per_batch_);
    while (frozen_ < std::min(parcels_, frozen_max) && !left.is_used_up()) {
      batch.parcels.push_back(freeze(100 + frozen_));
      left.take(batch.parcels.back());
      unanswered_ += batch.parcels.back().descriptors.size();
    }
    most_frozen = std::max(most_frozen, unanswered_);
    batch.finished = ever_finished && frozen_ == parcels_;
    return batch;
  }
  int wake_descriptor() override { return wake.get(); }

  void adopted(std::span<const ParcelId> ids) override {
    for (const ParcelId id : ids) answer(id, &Fate::adopted);
  }
  void refused(std::span<const ParcelId> ids) override {
    for (const ParcelId id : ids) answer(id, &Fate::refused);
  }
  void take_back(std::span<const ParcelId> ids) override {
    for (const ParcelId id : ids) answer(id, &Fate::taken_back);
  }
  std::string resign() override {
    calls.push_back("resign");
    return "last counters";
  }
  bool reclaim() override {
    calls.push_back("reclaim");
    return lock_is_free;
  }
  std::optional<std::string> called_off() override { return call_off(); }

  // As if nothing had been frozen yet; the sockets stay.
  void thaw() {
    frozen_ = 0;
    unanswered_ = 0;
    fates.clear();
  }

 private:
  Parcel freeze(ParcelId id) {
    ++frozen_;
    fates[id];
    Pair pair;
    if (near_ends_.contains(id)) {
      pair.one = std::move(near_ends_[id]);
    } else {
      pair = socket_pair();
      far_ends[id] = std::move(pair.other);
    }
    Parcel parcel;
    parcel.id = id;
    parcel.label = id % 2 == 0 ? "idle" : "tunnel";
    const Shape size = shape(id);
    parcel.descriptors.push_back(pair.one.get());
    while (parcel.descriptors.size() < size.descriptors) {
      parcel.descriptors.push_back(further_.at(parcel.descriptors.size()));
    }
    near_ends_[id] = std::move(pair.one);
    parcel.payload = payload_of(id, size);
    parcel.secrets = SecretBytes(secret_of(id, size));
    if (with_unknown_feature.contains(id)) parcel.required_features = {"known", "from-the-future"};
    return parcel;
  }
  void answer(ParcelId id, int Fate::* what) {
    ASSERT_TRUE(fates.contains(id)) << "parcel " << id << " was never frozen";
    ++(fates[id].*what);
    unanswered_ -= shape(id).descriptors;
    if (what == &Fate::adopted) near_ends_.erase(id);
  }

  const std::size_t parcels_;
  const std::size_t per_batch_;
  std::size_t frozen_ = 0;
  std::size_t unanswered_ = 0;
  std::map<ParcelId, UniqueFd> near_ends_;
  FurtherFiles further_;
  UniqueFd executable_ = new_file();
};

// The successor's server. It writes the parcel's id into each socket when, and only when, it may use the socket.
class FakeAdopter : public Adopter {
 public:
  // ── What a test sets ──────────────────────────────────────────────────────────────────────────────────────────
  std::optional<Error> refusal;  // of the whole inheritance
  std::function<Shape(ParcelId)> shape = small;  // of the parcels that come
  std::function<Verdict(ParcelId)> judge = [](ParcelId) { return std::nullopt; };
  std::function<void()> while_preparing = [] {};
  std::function<void()> when_accepting = [] {};
  std::function<void(ParcelId)> when_started = [](ParcelId) {};
  bool lock_is_free = true;

  // ── What it saw ───────────────────────────────────────────────────────────────────────────────────────────────
  struct Fate {
    int prepared = 0, started = 0, dropped = 0;
  };
  std::map<ParcelId, Fate> fates;
  std::vector<std::string> calls;
  std::vector<Remaining> expectations;
  std::size_t calls_before_first_expectation = 0;
  Inheritance inherited;
  std::string application;  // that came with Done
  Report report;
  int channel = -1, spare = -1;  // of the conversation, as long as it lasts

  void converses(int now_channel, int now_spare) override {
    channel = now_channel;
    spare = now_spare;
  }
  int count(std::string_view call) const { return static_cast<int>(std::count(calls.begin(), calls.end(), call)); }
  std::set<ParcelId> with(int Fate::* fate) const {
    std::set<ParcelId> ids;
    for (const auto& [id, seen] : fates) {
      if (seen.*fate != 0) ids.insert(id);
    }
    return ids;
  }
  // Each parcel that was prepared and not refused was started or dropped exactly once.
  void expect_one_end_each() const {
    for (const auto& [id, fate] : fates) {
      EXPECT_EQ(fate.prepared, 1) << "parcel " << id;
      EXPECT_EQ(fate.started + fate.dropped, judge(id) ? 0 : 1)
          << "parcel " << id << ": started " << fate.started << ", dropped " << fate.dropped;
    }
  }

  // ── Adopter ───────────────────────────────────────────────────────────────────────────────────────────────────
  Result<std::vector<std::string>> inherit(Inheritance inheritance) override {
    calls.push_back("inherit");
    if (refusal) return std::unexpected(*refusal);
    inherited = std::move(inheritance);
    std::vector<std::string> addresses;
    for (const auto& socket : inherited.sockets) addresses.push_back(socket.address);
    return addresses;
  }
  void expect(const Remaining& remaining) override {
    if (expectations.empty()) calls_before_first_expectation = calls.size();
    expectations.push_back(remaining);
  }
  void accept() override {
    calls.push_back("accept");
    when_accepting();
  }
  void accept_on_own() override { calls.push_back("accept_on_own"); }
  std::vector<Verdict> prepare(std::vector<ReceivedParcel> parcels) override {
    std::vector<Verdict> verdicts;
    for (ReceivedParcel& parcel : parcels) {
      const Shape size = shape(parcel.id);
      EXPECT_TRUE(parcel.payload == payload_of(parcel.id, size)) << "parcel " << parcel.id;
      EXPECT_TRUE(parcel.secrets.view() == secret_of(parcel.id, size)) << "parcel " << parcel.id;
      EXPECT_EQ(parcel.descriptors.size(), size.descriptors);
      for (std::size_t i = 1; i < parcel.descriptors.size(); ++i) {
        EXPECT_TRUE(FurtherFiles::is_at(parcel.descriptors[i].get(), i)) << "descriptor " << i << " of " << parcel.id;
      }
      ++fates[parcel.id].prepared;
      verdicts.push_back(judge(parcel.id));
      if (!verdicts.back()) held_[parcel.id] = std::move(parcel);
    }
    while_preparing();
    return verdicts;
  }
  void start(std::span<const ParcelId> ids) override {
    for (const ParcelId id : ids) {
      ASSERT_TRUE(held_.contains(id)) << "parcel " << id << " was never prepared";
      ++fates[id].started;
      EXPECT_EQ(::send(held_[id].descriptors.at(0).get(), &id, sizeof id, MSG_NOSIGNAL), ssize_t{sizeof id});
      when_started(id);
    }
  }
  void drop(std::span<const ParcelId> ids) override {
    for (const ParcelId id : ids) {
      ++fates[id].dropped;
      EXPECT_EQ(held_.erase(id), 1u);
    }
  }
  Result<void> take_over(const std::string& bytes, const Report& what) override {
    calls.push_back("take_over");
    if (!lock_is_free) return fail(Fault::timed_out, "the predecessor holds the lock");
    application = bytes;
    report = what;
    return {};
  }

 private:
  std::map<ParcelId, ReceivedParcel> held_;
};

// What the client of a parcel sees: its id, once, if another process owns it now, else nothing.
inline void expect_on_far_end(const FakeDonor& donor, ParcelId id, bool adopted) {
  ParcelId said[2] = {0, 0};
  const ssize_t got = ::recv(donor.far_ends.at(id).get(), said, sizeof said, MSG_DONTWAIT);
  if (adopted) {
    EXPECT_EQ(got, ssize_t{sizeof id}) << "parcel " << id;
    EXPECT_EQ(said[0], id);
  } else {
    EXPECT_TRUE(got < 0 && errno == EAGAIN) << "parcel " << id << " was touched";
  }
}

}  // namespace baton::handoff::test
