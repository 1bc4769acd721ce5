// Our side of a TLS connection in memory, for tests: a leg, its handshake, and what follows the handshake.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/tls/handshake.hpp"
#include "proxy/tls/record_layer.hpp"
#include "proxy/tls/server_context.hpp"
#include "proxy/tls/testing/peer.hpp"

namespace baton::tls::test {

inline constexpr std::size_t plenty = std::size_t{1} << 20;

class Ours {
 public:
  explicit Ours(SslPtr ssl) : handshake(std::move(ssl)) { leg.tls.emplace(); }
  explicit Ours(SSL_CTX* context) : Ours(SslPtr(SSL_new(context))) {}

  state::Tls& tls() { return *leg.tls; }
  bool is_done() const { return progress == Handshake::Progress::done; }

  void shake() {
    if (progress != Handshake::Progress::waiting) return;
    progress = handshake.advance(tls());
    if (is_done()) begin_records();
  }
  // Keeps only the state, as a move to another process would.
  void move() { records = RecordLayer::make(tls()); }

  void put(std::string_view bytes) { tls().received.append(bytes); }
  std::string take() {
    std::string all(tls().sealed.view());
    tls().sealed.clear();
    return all;
  }

  // All of the text as records, and whatever else is owed.
  std::string seal(std::string_view text = {}) {
    leg.unsent.append(text);
    std::string all = take();
    while (records ? records->seal(leg, 0) : handshake.seal(leg)) all += take();
    return all;
  }
  // Everything that has come.
  std::string open() {
    while ((opened = records ? records->open(leg, plenty) : handshake.open(leg, plenty)) == Opened::some) {
      if (leg.read_ended) break;
    }
    std::string all(leg.unread.view());
    leg.unread.clear();
    return all;
  }

  Handshake handshake;
  state::Leg leg;
  std::unique_ptr<RecordLayer> records;    // none: OpenSSL keeps it
  Handshake::Progress progress = Handshake::Progress::waiting;
  Opened opened = Opened::nothing;

 private:
  void begin_records() {
    records = RecordLayer::make(tls());
    if (records && !handshake.is_over()) records->set_early_records(&handshake);
  }
};

// Runs both handshakes to the end, or until nothing moves. Bytes reach us `step` at a time.
inline void shake_hands(Ours& ours, Peer& peer, std::size_t step = plenty) {
  for (int quiet = 0; quiet < 2;) {
    ours.shake();
    peer.put(ours.take());
    peer.shake();
    const std::string bytes = peer.take();
    quiet = bytes.empty() ? quiet + 1 : 0;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      ours.put(std::string_view(bytes).substr(at, step));
      ours.shake();
    }
  }
}

// Text arrives unchanged in both directions.
inline bool understand(Ours& ours, Peer& peer, std::string_view words = "words") {
  peer.write(words);
  ours.put(peer.take());
  if (ours.open() != words) return false;
  peer.put(ours.seal(words));
  return peer.read() == words;
}

// Sessions in order of arrival.
struct Sessions final : SessionSink {
  std::vector<SessionPtr> kept;
  void keep(SessionPtr session) override { kept.push_back(std::move(session)); }
};

}  // namespace baton::tls::test
