// The ways one side of a conversation can fail, and how to play them: what is sent in place of the right frame.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "handoff/predecessor.hpp"
#include "handoff/records.hpp"
#include "handoff/testing/channel.hpp"

namespace baton::handoff::test {

enum class Way {
  closes,                  // having read everything: end-of-file
  closes_without_reading,  // the other side's last frame is never read
  hangs,                   // until the other side gives up
  garbage,
  other_kind,            // a whole frame of the wrong kind
  truncated,             // half a frame, then end-of-file
  unreadable,            // the frame's record cannot be parsed
  descriptors_missing,   // the header counts one that was not sent
  descriptors_too_many,  // one was sent that the header does not count
  aborts,
};
inline constexpr Way all_ways[] = {Way::closes,
                                   Way::closes_without_reading,
                                   Way::hangs,
                                   Way::garbage,
                                   Way::other_kind,
                                   Way::truncated,
                                   Way::unreadable,
                                   Way::descriptors_missing,
                                   Way::descriptors_too_many,
                                   Way::aborts};

inline const char* name_of(Way way) {
  switch (way) {
    case Way::closes:
      return "Closes";
    case Way::closes_without_reading:
      return "ClosesWithoutReading";
    case Way::hangs:
      return "Hangs";
    case Way::garbage:
      return "SendsGarbage";
    case Way::other_kind:
      return "SendsAnotherKind";
    case Way::truncated:
      return "SendsHalfAFrame";
    case Way::unreadable:
      return "SendsAnUnreadableRecord";
    case Way::descriptors_missing:
      return "NamesADescriptorThatDidNotCome";
    case Way::descriptors_too_many:
      return "SendsADescriptorThatItDoesNotName";
    case Way::aborts:
      return "Aborts";
  }
  return "";
}

// Plays `way` in place of a frame of `kind`, then reads until the other side ends the channel, so that the test judges
// its reaction to this and not to our end-of-file.
inline void misbehave(Channel channel, Kind kind, Way way) {
  const int socket = channel.descriptor();
  const UniqueFd file = new_file();
  const int number = file.get();
  const auto write = [&](const RawFrame& frame, std::span<const int> descriptors = {}) {
    write_raw(socket, frame.bytes(), descriptors);
  };
  switch (way) {
    case Way::closes:
    case Way::closes_without_reading:
      return;
    case Way::hangs:
      break;
    case Way::garbage:
      write_raw(socket, "HTTP/1.1 400 Bad Request\r\n\r\n");
      break;
    case Way::other_kind:
      write(RawFrame::honest(kind == Kind::bye ? Kind::hello : Kind::bye, ""));
      break;
    case Way::truncated:
      write_raw(socket, RawFrame::honest(kind, std::string(100, 'x')).bytes().substr(0, 60));
      return;
    case Way::unreadable:
      write(RawFrame::honest(kind, "\xff\xff\xff\xff"));
      break;
    case Way::descriptors_missing:
      write(RawFrame::honest(kind, "", "", 1));
      break;
    case Way::descriptors_too_many:
      write(RawFrame::honest(kind, ""), {&number, 1});
      break;
    case Way::aborts: {
      wire::Abort abort;
      abort.set_text("I do not like this");
      write(RawFrame::honest(Kind::abort, abort.SerializeAsString()));
      break;
    }
  }
  while (channel.receive(soon())) {
  }
}

// The next frame, which must be of that kind. Fails only in a failing test.
inline Frame expect_frame(Channel& channel, Kind kind) {
  auto frame = receive_kind(channel, kind, soon());
  EXPECT_TRUE(frame) << frame.error().text;
  return frame ? std::move(*frame) : Frame{};
}

template <class Record>
Record expect_record(Channel& channel, Kind kind) {
  auto record = parse<Record>(expect_frame(channel, kind));
  EXPECT_TRUE(record);
  return record ? std::move(*record) : Record{};
}

// Offers a batch that a FakeDonor has frozen.
inline void send_offer(Channel& channel, const Batch& batch) {
  wire::Offer offer;
  std::vector<int> descriptors;
  std::string secrets;
  for (const Parcel& parcel : batch.parcels) {
    auto& one = *offer.add_parcels();
    one.set_id(parcel.id);
    one.set_payload(parcel.payload);
    one.set_descriptors(static_cast<std::uint32_t>(parcel.descriptors.size()));
    one.set_secret_bytes(static_cast<std::uint32_t>(parcel.secrets.size()));
    descriptors.insert(descriptors.end(), parcel.descriptors.begin(), parcel.descriptors.end());
    secrets += parcel.secrets.view();
  }
  (void)send_record(channel, Kind::offer, offer, soon(), descriptors, SecretBytes(secrets));
}

// The successor as a script that behaves correctly up to a step.
class SuccessorScript {
 public:
  explicit SuccessorScript(UniqueFd socket) : channel(std::move(socket)) {}

  void hello(bool returns = false) {
    expect_frame(channel, Kind::hello);
    wire::Hello hello = make_hello({8, 4711, "script"}, {});
    hello.set_returns(returns);
    send(Kind::hello, hello);
  }
  void ready() {
    while (!expect_record<wire::Inherit>(channel, Kind::inherit).last()) {
    }
    send(Kind::ready, wire::Ready{});
  }
  void listening() {
    expect_frame(channel, Kind::listen);
    send(Kind::listening, wire::Listening{});
  }
  wire::Offer offer() { return expect_record<wire::Offer>(channel, Kind::offer); }
  void adopt(const wire::Offer& offer) {
    wire::Adopted adopted;
    for (const auto& parcel : offer.parcels()) adopted.add_taken(parcel.id());
    send(Kind::adopted, adopted);
  }
  // Adopts Offer after Offer until so many parcels are adopted.
  void adopt(int parcels) {
    while (parcels > 0) {
      const wire::Offer next = offer();
      if (next.parcels_size() == 0) return;
      adopt(next);
      parcels -= next.parcels_size();
    }
  }
  void send(Kind kind, const google::protobuf::MessageLite& record) {
    (void)send_record(channel, kind, record, soon());
  }
  // Reads until the predecessor has ended the channel.
  void listen_to_the_end() {
    while (channel.receive(soon())) {
    }
  }

  // After the last Offer was answered.
  void finish() {
    expect_frame(channel, Kind::done);
    send(Kind::bye, wire::Bye{});
  }

  Channel channel;
};

// Hands over to a script that behaves correctly up to Listening; `from_there` is the rest. Returns when both have
// ended.
inline HandoverOutcome hand_over_to(Donor& donor, const PredecessorTerms& terms,
                                    const std::function<void(SuccessorScript&)>& from_there) {
  Pair pair = socket_pair();
  std::jthread running([&] {
    SuccessorScript script(std::move(pair.other));
    script.hello();
    script.ready();
    script.listening();
    from_there(script);
  });
  return hand_over(std::move(pair.one), donor, terms);
}

}  // namespace baton::handoff::test
