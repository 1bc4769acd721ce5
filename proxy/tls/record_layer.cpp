#include "proxy/tls/record_layer.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "proxy/tls/post_handshake.hpp"
#include "proxy/tls/record_format.hpp"

namespace baton::tls {

namespace {

using Bytes = std::span<const unsigned char>;

// Consecutive records without application data.
constexpr std::uint8_t idle_records_max = 32;

// No sequence number is used twice (RFC 8446 §5.3): the last one means "used up", the one before is for an alert.
constexpr std::uint64_t sequence_end = std::numeric_limits<std::uint64_t>::max();
// One key seals at most 2^24 records, slightly below the limit of AES-GCM (RFC 8446 §5.5). KeyUpdate is the last.
constexpr std::uint64_t key_update_sequence = (1U << 24) - 1;

// After a silence the congestion window is small again. Small records let the other side use what has arrived instead
// of waiting for the rest of a full record.
constexpr std::int64_t silence_ms = 1000;
constexpr std::uint32_t burst_bytes_max = 14 * 1024;
constexpr std::size_t segment_bytes = 1400;
constexpr std::size_t fragment_bytes_min = 512;       // RFC 6066 §4

constexpr std::size_t alert_bytes = 2;

Bytes bytes_of(std::string_view text) { return {reinterpret_cast<const unsigned char*>(text.data()), text.size()}; }

}  // namespace

// An open record.
struct RecordLayer::Record {
  std::size_t bytes = 0;              // as received; 0: there is none
  ContentType type{};
  std::string_view content;           // lies at the end of `unread`, in its free room
};

bool RecordLayer::can_speak(const state::Tls& tls) {
  const Suite* const suite = find_suite(tls.version, tls.suite);
  return suite != nullptr && find_cipher(suite->aead) != nullptr;
}

std::unique_ptr<RecordLayer> RecordLayer::make(const state::Tls& tls) {
  if (tls.stage != state::TlsStage::records || !can_speak(tls)) return nullptr;
  const Suite* const suite = find_suite(tls.version, tls.suite);
  return std::unique_ptr<RecordLayer>(new RecordLayer(*suite, tls));
}

RecordLayer::RecordLayer(const Suite& suite, const state::Tls& tls)
    : suite_(suite),
      reading_(suite, RecordCipher::Use::opens, tls.read.secrets),
      writing_(suite, RecordCipher::Use::seals, tls.write.secrets) {}

void RecordLayer::fail(state::Tls& tls, Alert alert, std::string_view why) {
  tls.alert = static_cast<std::uint8_t>(alert);
  failure_ = why;
}

// ── Opening ───────────────────────────────────────────────────────────────────────────────────────────────────────

Opened RecordLayer::open(state::Leg& leg, std::size_t bytes) {
  state::Tls& tls = *leg.tls;
  const std::size_t before = leg.unread.size();
  bool some = false;
  while (!has_failed(tls) && !tls.close_received && leg.unread.size() - before < bytes) {
    const Record record = open_record(leg);
    if (record.bytes == 0) break;
    take(leg, record);
    tls.received.consume(record.bytes);
    some = true;
  }
  leg.unread.commit(0);               // room that was prepared but not used is not kept
  if (has_failed(tls) || tls.close_received) tls.received.clear();
  if (has_failed(tls)) return Opened::failed;
  return some ? Opened::some : Opened::nothing;
}

// The record at the front of `received`. None: it is incomplete or wrong.
RecordLayer::Record RecordLayer::open_record(state::Leg& leg) {
  state::Tls& tls = *leg.tls;
  const auto wrong = [&](Alert alert, std::string_view why) {
    fail(tls, alert, why);
    return Record{};
  };
  const Bytes received = bytes_of(tls.received.view());
  if (received.size() < header_bytes) return {};
  const auto outer_type = static_cast<ContentType>(received[0]);
  const std::size_t version = received[1] << 8 | received[2];
  const std::size_t length = received[3] << 8 | received[4];

  const bool has_inner_type = suite_.version == tls13;
  if (has_inner_type ? outer_type != ContentType::application_data
                     : outer_type < ContentType::alert || outer_type > ContentType::application_data) {
    return wrong(Alert::unexpected_message, "a record that is not allowed after the handshake");
  }
  if (version != tls12) return wrong(Alert::protocol_version, "a record of another version");
  if (length > length_max(suite_)) return wrong(Alert::record_overflow, "a record that is too long");
  if (received.size() - header_bytes < length) return {};
  if (tls.read.sequence == sequence_end) return wrong(Alert::internal_error, "the sequence numbers are used up");

  const std::size_t nonce_bytes = suite_.has_explicit_nonce() ? explicit_nonce_bytes : 0;
  if (length < nonce_bytes + tag_bytes) return wrong(Alert::bad_record_mac, "a record that is too short");
  const std::size_t text_bytes = length - nonce_bytes - tag_bytes;
  const Bytes text = received.subspan(header_bytes + nonce_bytes, text_bytes);
  char* const plain = leg.unread.prepare(text_bytes);
  const auto decrypt = [&](const Nonce& nonce, Bytes additional) {
    return reading_.open(nonce, additional, text, text.data() + text_bytes, reinterpret_cast<unsigned char*>(plain));
  };
  const Nonce nonce = nonce_bytes != 0 ? make_nonce(tls.read, received.data() + header_bytes) : make_nonce(tls.read);
  const bool genuine = has_inner_type ? decrypt(nonce, received.first(header_bytes))
                                      : decrypt(nonce, make_additional(tls.read.sequence, outer_type, text_bytes));
  if (!genuine) return wrong(Alert::bad_record_mac, "a record that cannot be decrypted");
  ++tls.read.sequence;

  const std::size_t bytes = header_bytes + length;
  if (!has_inner_type) {
    if (text_bytes > plaintext_bytes_max) return wrong(Alert::record_overflow, "a record with too much in it");
    return {bytes, outer_type, {plain, text_bytes}};
  }
  if (text_bytes > plaintext_bytes_max + 1) return wrong(Alert::record_overflow, "a record with too much in it");
  std::size_t end = text_bytes;
  while (end != 0 && plain[end - 1] == 0) --end;      // padding
  if (end == 0) return wrong(Alert::unexpected_message, "a record without a type");
  return {bytes, static_cast<ContentType>(plain[end - 1]), {plain, end - 1}};
}

void RecordLayer::take(state::Leg& leg, const Record& record) {
  state::Tls& tls = *leg.tls;
  const bool is_data = record.type == ContentType::application_data;
  if (is_data && !record.content.empty()) {
    tls.idle_records = 0;
  } else if (tls.idle_records < idle_records_max) {
    ++tls.idle_records;
  } else {
    return fail(tls, Alert::unexpected_message, "too many records without data");
  }
  if (!is_data) return take_other(leg, record);
  if (within_message(tls)) return fail(tls, Alert::unexpected_message, "data within a handshake message");
  if (early_ != nullptr) std::exchange(early_, nullptr)->over();
  leg.unread.commit(record.content.size());
}

void RecordLayer::take_other(state::Leg& leg, const Record& record) {
  state::Tls& tls = *leg.tls;
  if (record.type != ContentType::alert && record.type != ContentType::handshake) {
    return fail(tls, Alert::unexpected_message, "a record of a type that is not allowed after the handshake");
  }
  if (record.content.empty()) return fail(tls, Alert::unexpected_message, "an empty record that must not be empty");
  if (early_ != nullptr) early_->take(tls.received.view().substr(0, record.bytes));
  const Verdict verdict = record.type == ContentType::alert ? hear_alert(tls, record.content)
                                                            : hear_handshake(suite_, tls, record.content);
  switch (verdict.heard) {
    case Heard::nothing: return;
    case Heard::new_keys: return reading_.set_key(tls.read.secrets);
    case Heard::close:
      tls.close_received = true;
      leg.read_ended = true;
      return;
    case Heard::fatal:
      failure_ = verdict.why;
      leg.read_ended = true;
      return;
    case Heard::wrong: return fail(tls, verdict.alert, verdict.why);
  }
}

// ── Sealing ───────────────────────────────────────────────────────────────────────────────────────────────────────

bool RecordLayer::seal(state::Leg& leg, std::int64_t since_ms) {
  state::Tls& tls = *leg.tls;
  if (tls.end != state::TlsEnd::open) return false;
  const std::size_t before = tls.sealed.size();
  if (tls.alert == 0 && tls.write.sequence >= sequence_end - 1) {
    fail(tls, Alert::internal_error, "the sequence numbers are used up");
  }
  if (tls.alert != 0) {
    if (tls.write.sequence != sequence_end) seal_alert(tls, static_cast<Alert>(tls.alert));
    tls.end = state::TlsEnd::notified;
    return tls.sealed.size() != before;
  }

  if (tls.key_update_owed) seal_key_update(tls);
  if (tls.no_renegotiation_owed && has_room(tls, alert_bytes)) {
    seal_alert(tls, Alert::no_renegotiation);
    tls.no_renegotiation_owed = false;
  }
  if (since_ms >= silence_ms && !leg.unsent.empty()) tls.burst_bytes = 0;
  seal_data(leg);
  const bool all = leg.unsent.empty() && !tls.key_update_owed && !tls.no_renegotiation_owed;
  if (leg.write_ended && all && has_room(tls, alert_bytes)) {
    seal_alert(tls, Alert::close_notify);
    tls.end = state::TlsEnd::notified;
  }
  return tls.sealed.size() != before;
}

void RecordLayer::seal_data(state::Leg& leg) {
  state::Tls& tls = *leg.tls;
  const std::size_t full = std::clamp<std::size_t>(tls.fragment_bytes, fragment_bytes_min, plaintext_bytes_max);
  const std::size_t small = std::min(full, segment_bytes - expansion_bytes(suite_));
  while (!leg.unsent.empty() && tls.write.sequence < sequence_end - 1) {
    if (suite_.version == tls13 && tls.write.sequence >= key_update_sequence && !seal_key_update(tls)) return;
    const bool in_burst = tls.burst_bytes < burst_bytes_max;
    const std::size_t bytes = std::min(leg.unsent.size(), in_burst ? small : full);
    if (!has_room(tls, bytes)) return;
    seal_record(tls, ContentType::application_data, leg.unsent.view().substr(0, bytes));
    leg.unsent.consume(bytes);
    if (in_burst) tls.burst_bytes += static_cast<std::uint32_t>(bytes);
  }
}

void RecordLayer::seal_alert(state::Tls& tls, Alert alert) {
  const bool is_warning = alert == Alert::close_notify || alert == Alert::no_renegotiation;
  const std::array<char, alert_bytes> content{
      static_cast<char>(is_warning ? AlertLevel::warning : AlertLevel::fatal), static_cast<char>(alert)};
  seal_record(tls, ContentType::alert, {content.data(), content.size()});
}

// A KeyUpdate that does not request one in return. False: there is no room for it.
bool RecordLayer::seal_key_update(state::Tls& tls) {
  constexpr std::string_view message{"\x18\0\0\1\0", 5};
  if (!has_room(tls, message.size())) return false;
  state::TlsSecrets next = tls.write.secrets;         // before the message, in case memory runs out
  update_keys(suite_, next);
  seal_record(tls, ContentType::handshake, message);
  writing_.set_key(next);
  tls.write = {next, 0};
  tls.key_update_owed = false;
  return true;
}

// A full buffer waits until the other side reads, so no request from that side makes it grow.
bool RecordLayer::has_room(const state::Tls& tls, std::size_t data_bytes) const {
  return tls.sealed.size() + data_bytes + expansion_bytes(suite_) <= state::Buffer::block_bytes;
}

void RecordLayer::seal_record(state::Tls& tls, ContentType type, std::string_view data) {
  const std::size_t bytes = data.size() + expansion_bytes(suite_);
  auto* const header = reinterpret_cast<unsigned char*>(tls.sealed.prepare(bytes));
  unsigned char* const fragment = header + header_bytes;
  if (suite_.version == tls13) {
    const auto inner_type = static_cast<unsigned char>(type);
    write_header(ContentType::application_data, bytes - header_bytes, header);
    writing_.seal(make_nonce(tls.write), {header, header_bytes}, bytes_of(data), {&inner_type, 1}, fragment);
  } else {
    const auto additional = make_additional(tls.write.sequence, type, data.size());
    write_header(type, bytes - header_bytes, header);
    if (suite_.has_explicit_nonce()) {
      write_number<explicit_nonce_bytes>(tls.explicit_nonce, fragment);
      writing_.seal(make_nonce(tls.write, fragment), additional, bytes_of(data), {}, fragment + explicit_nonce_bytes);
      ++tls.explicit_nonce;
    } else {
      writing_.seal(make_nonce(tls.write), additional, bytes_of(data), {}, fragment);
    }
  }
  tls.sealed.commit(bytes);
  ++tls.write.sequence;
}

}  // namespace baton::tls
