// The record layer: opens and seals the records of one leg from its state (state/tls.hpp) after the handshake (RFC 8446
// §5 and §4.6, RFC 5246 §6.2). No I/O. It holds only cipher contexts, which are made from the state, so it can be
// discarded and made again at any time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "proxy/state/state.hpp"
#include "proxy/tls/record_cipher.hpp"

namespace baton::tls {

enum class Alert : std::uint8_t;
enum class ContentType : std::uint8_t;

// Receives the records before the first application data; for a client, tickets are among them.
class EarlyRecords {
 public:
  virtual void take(std::string_view record) = 0;     // a whole record as received; valid during the call
  virtual void over() = 0;                            // the first application data has come
 protected:
  ~EarlyRecords() = default;
};

enum class Opened {
  nothing,               // there is no whole record, or it is too early for one
  some,                  // `unread` has grown, or some other part of the state has changed
  failed,                // `tls.alert` is owed (`seal` writes it), or the other side sent one (then it stays 0 and
                         // `read_ended` is set without `close_received`). Nothing more is read. Earlier data is in
                         // `unread`
};

// Each idle connection with TLS has one, so it is allocated without malloc's overhead.
class RecordLayer : public state::Allocated {
 public:
  // Whether `make` would succeed: the suite is one of ours, and this OpenSSL has its cipher.
  static bool can_speak(const state::Tls& tls);
  // For an established state whose suite is one of ours; otherwise none.
  static std::unique_ptr<RecordLayer> make(const state::Tls& tls);

  // Opens whole records from `tls.received` into `unread` until it has `bytes` more, exceeding that by one record at
  // most. close_notify sets `read_ended`. Everything after it, or after a failure, is dropped.
  Opened open(state::Leg& leg, std::size_t bytes);
  // The reason for a failure, for the log; empty if there was none, or it came before this record layer was made.
  std::string_view failure() const { return failure_; }

  // Seals into `tls.sealed` while that holds less than a block: first what is owed, then what is in `unsent`, and after
  // all of it, with `write_ended`, close_notify. `since_ms` is how long the leg has been silent: after a silence small
  // records come first. True: there is something new to write.
  bool seal(state::Leg& leg, std::int64_t since_ms);

  void set_early_records(EarlyRecords* early) { early_ = early; }

 private:
  struct Record;
  RecordLayer(const Suite& suite, const state::Tls& tls);

  bool has_failed(const state::Tls& tls) const { return tls.alert != 0 || !failure_.empty(); }
  void fail(state::Tls& tls, Alert alert, std::string_view why);

  Record open_record(state::Leg& leg);
  void take(state::Leg& leg, const Record& record);
  void take_other(state::Leg& leg, const Record& record);

  void seal_data(state::Leg& leg);
  void seal_alert(state::Tls& tls, Alert alert);
  bool seal_key_update(state::Tls& tls);
  void seal_record(state::Tls& tls, ContentType type, std::string_view data);
  bool has_room(const state::Tls& tls, std::size_t data_bytes) const;

  const Suite& suite_;
  RecordCipher reading_;
  RecordCipher writing_;
  EarlyRecords* early_ = nullptr;      // outlives this, or is removed first
  std::string_view failure_;
};

}  // namespace baton::tls
