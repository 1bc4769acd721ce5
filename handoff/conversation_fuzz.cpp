// Whatever records the other side sends, our successor and predecessor finish, and each parcel has one owner.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>

#include "handoff/limits.hpp"
#include "handoff/predecessor.hpp"
#include "handoff/successor.hpp"

namespace {

using namespace baton::handoff;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

class CountingAdopter final : public Adopter {
 public:
  ~CountingAdopter() override {
    for (const auto& [id, held] : held_) require(held.ended, "a parcel was neither started nor dropped");
  }
  Result<std::vector<std::string>> inherit(Inheritance inheritance) override {
    require(inheritance.sockets.size() <= limits::sockets_inherited_max, "too many sockets");
    return std::vector<std::string>{};
  }
  void accept() override {}
  std::vector<Verdict> prepare(std::vector<ReceivedParcel> parcels) override {
    std::vector<Verdict> verdicts;
    for (auto& parcel : parcels) {
      require(parcel.payload.size() <= limits::parcel_bytes_max, "a parcel over the limit");
      // Ids seen in an earlier Offer, and those that end in 7.
      if (held_.contains(parcel.id) || parcel.id % 10 == 7) {
        verdicts.emplace_back("no");
      } else {
        verdicts.emplace_back();
        held_[parcel.id].parcel = std::move(parcel);
      }
    }
    return verdicts;
  }
  void start(std::span<const ParcelId> ids) override { end(ids); }
  void drop(std::span<const ParcelId> ids) override { end(ids); }
  Result<void> take_over(const std::string&, const Report&) override { return {}; }

 private:
  struct Held {
    ReceivedParcel parcel;
    bool ended = false;
  };
  void end(std::span<const ParcelId> ids) {
    for (const ParcelId id : ids) {
      require(held_.contains(id) && !held_[id].ended, "a parcel was started or dropped twice");
      held_[id].ended = true;
      held_[id].parcel = {};
    }
  }
  std::map<ParcelId, Held> held_;
};

// Beside a canary it offers some, and decides with the first Trial.
class CountingDonor final : public Donor {
 public:
  CountingDonor(bool has_canary, bool calls_back) : has_canary_(has_canary), calls_back_(calls_back) {}
  ~CountingDonor() override { require(in_flight_.empty(), "a parcel was neither adopted, refused nor taken back"); }
  Estate estate() override { return {}; }
  void stop_accepting(const std::vector<std::string>&) override {
    require(!is_stopped_ && !is_canary_, "stops twice, or beside a canary");
    is_stopped_ = true;
  }
  void accept_again() override {
    require(is_stopped_ || has_canary_, "accepts again without having stopped");
    require(!std::exchange(has_accepted_again_, true), "accepts again twice");
  }
  void begin_canary() override { is_canary_ = true; }
  void on_probation(const Conduct&) override { is_decided_ = true; }
  std::optional<std::string> called_off() override {
    return is_decided_ && calls_back_ ? std::optional<std::string>("stop") : std::nullopt;
  }
  Batch freeze_next(const Room&) override {
    Batch batch;
    if (is_canary_ && is_decided_) {
      is_canary_ = false;
      batch.finished = true;
      return batch;
    }
    if (is_canary_ && next_ > 3) return batch;
    for (int i = 0; i < 3; ++i, ++next_) {
      in_flight_[next_] = true;
      Parcel parcel;
      parcel.id = next_;
      parcel.descriptors = {STDERR_FILENO};
      batch.parcels.push_back(std::move(parcel));
    }
    batch.finished = next_ > 6;
    return batch;
  }
  int wake_descriptor() override { return wake_.get(); }
  void adopted(std::span<const ParcelId> ids) override { end(ids); }
  void refused(std::span<const ParcelId> ids) override { end(ids); }
  void take_back(std::span<const ParcelId> ids) override { end(ids); }
  std::string resign() override { return {}; }
  bool reclaim() override { return true; }

 private:
  void end(std::span<const ParcelId> ids) {
    for (const ParcelId id : ids) require(in_flight_.erase(id) == 1, "a parcel was answered for twice");
  }
  ParcelId next_ = 1;
  std::map<ParcelId, bool> in_flight_;
  const bool has_canary_;
  const bool calls_back_;
  bool is_canary_ = false;
  bool is_decided_ = false;
  bool is_stopped_ = false;
  bool has_accepted_again_ = false;
  UniqueFd wake_{::eventfd(0, EFD_CLOEXEC)};
};

// The input as frames: for each, a byte for its kind and its descriptors, two for the lengths of record and secrets,
// then both. All of them, followed by end-of-file, are in the channel before our side begins.
void write_frames(Channel& channel, std::string_view input) {
  while (input.size() >= 3) {
    const auto how = static_cast<unsigned char>(input[0]);
    std::size_t record = static_cast<unsigned char>(input[1]);
    std::size_t secrets = static_cast<unsigned char>(input[2]) % 32;
    input.remove_prefix(3);
    record = std::min(record, input.size());
    secrets = std::min(secrets, input.size() - record);
    const std::vector<int> descriptors(how >> 4, STDERR_FILENO);
    (void)channel.send(static_cast<Kind>(how & 15), std::string(input.substr(0, record)), descriptors,
                       SecretBytes(input.substr(record, secrets)), Clock::now());
    input.remove_prefix(record + secrets);
  }
  ::shutdown(channel.descriptor(), SHUT_WR);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  int ends[2];
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "no socket pair");
  Channel script{UniqueFd(ends[0])};
  write_frames(script, {reinterpret_cast<const char*>(data) + 1, size - 1});
  // Which side is ours; whether it can be, or has, a canary; whether it calls that back.
  const bool is_successor = (data[0] & 1) == 0;
  const bool has_canary = (data[0] & 2) != 0;
  CountingDonor donor(has_canary, (data[0] & 4) != 0);
  CountingAdopter adopter;
  if (is_successor) {
    const Probation probation{.donor = [&]() -> Donor& { return donor; }, .conduct = [](bool) { return Conduct{}; }};
    (void)succeed(UniqueFd(ends[1]), adopter, {.version = "s", .features = {"known"}},
                  has_canary ? &probation : nullptr);
  } else {
    (void)hand_over(UniqueFd(ends[1]), donor, {.self = {1, 1, "p"}, .features = {}, .canary = has_canary},
                    has_canary ? &adopter : nullptr);
  }
  return 0;
}
