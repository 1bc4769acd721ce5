// The socket of a scripted peer. With TLS, an SSL over memory stands between it and what the peer sends and receives.
#pragma once

#include <memory>
#include <string>

#include "handoff/unique_fd.hpp"
#include "proxy/worker/settings.hpp"
#include "proxy/tls/testing/peer.hpp"

namespace baton::proxy {

inline constexpr int tls12 = TLS1_2_VERSION;
inline constexpr int tls13 = TLS1_3_VERSION;

// Which legs of a connection have TLS, and which version the peer there speaks; 0: the leg is plain.
struct Legs {
  int client = 0;
  int origin = 0;
};
std::string name_of(Legs legs);  // of a test with them

// Two workers' configuration: an upstream with one server. With TLS on the legs that have it: the proxy and its server
// have certificates of one authority, and the client none.
std::shared_ptr<const Settings> loopback_settings(const state::SocketAddress& server, Legs legs = {});

// The TLS context of a peer; nullptr: the leg is plain.
SSL_CTX* peer_context(Legs legs, bool is_client);

enum class KeyUpdate {
  none,
  alone,                     // of the peer's own keys
  mutual,                    // the proxy has to do the same
};

class Wire {
 public:
  Wire() = default;
  Wire(handoff::UniqueFd socket, SSL_CTX* context);

  void say(const std::string& words, KeyUpdate keys = KeyUpdate::none);
  // Ends once everything is sent; bluntly: without the close_notify of TLS.
  void end(bool bluntly);
  // Ends with RST once everything is sent; the wire is then no longer open.
  void reset() { end_ = End::reset; }
  // Writes once and reads once. True: bytes moved.
  bool turn(std::size_t reads_max, std::size_t writes_max);

  bool is_open() const { return static_cast<bool>(socket_); }
  bool all_said() const { return unsaid_.empty() && outgoing_.empty(); }
  std::string take_heard() { return std::exchange(heard_, {}); }
  bool has_heard() const { return !heard_.empty(); }
  bool saw_end() const { return saw_end_; }
  // close_notify came, or there is no TLS.
  bool saw_good_end() const { return saw_end_ && (!tls_ || tls_->saw_end()); }
  bool broke() const { return broke_; }
  tls::test::Peer* tls() const { return tls_.get(); }

 private:
  enum class End { none, good, blunt, reset, sent };
  void seal();

  handoff::UniqueFd socket_;
  std::unique_ptr<tls::test::Peer> tls_;
  std::string unsaid_;
  std::string outgoing_;
  std::string heard_;
  KeyUpdate keys_ = KeyUpdate::none;
  End end_ = End::none;
  bool saw_end_ = false;
  bool broke_ = false;
};

}  // namespace baton::proxy
