#include "proxy/worker/testing/loopback_wire.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "proxy/tls/self_test.hpp"

namespace baton::proxy {

namespace test = tls::test;

namespace {

constexpr std::size_t words_max = 16 * 1024;           // for each record

struct Credentials {
  test::Files files;
  test::Issued identity =
      test::issue({.common_name = "localhost", .names = "DNS:localhost,IP:127.0.0.1"}, &test::authority());
  config::Certificate certificate = files.write("localhost", identity);
  config::File ca = files.write("ca.pem", test::authority().certificate_pem());
};

const Credentials& credentials() {
  static const Credentials credentials;
  return credentials;
}

tls::SslCtxPtr make_peer_context(bool is_client, int version) {
  tls::SslCtxPtr context = test::context_of(is_client ? TLS_client_method() : TLS_server_method(), version);
  if (is_client) {
    test::trust(context.get(), test::authority());
  } else {
    test::identify(context.get(), credentials().identity);
  }
  return context;
}

std::string version_name(int version) {
  return version == 0 ? "plain" : version == tls12 ? "tls12" : "tls13";
}

}  // namespace

std::string name_of(Legs legs) {
  return version_name(legs.client) + "_to_" + version_name(legs.origin);
}

std::shared_ptr<const Settings> loopback_settings(const state::SocketAddress& server, Legs legs) {
  auto settings = std::make_shared<Settings>();
  settings->config.listeners.push_back({.name = "web"});
  settings->listeners["web"] = {};
  settings->config.routes = {{.upstream = "app"}};
  settings->routes = routing::RouteTable(settings->config);
  settings->upstreams.push_back({.name = "app", .servers = {{.address = server, .host = "localhost"}}});
  if (legs.client == 0 && legs.origin == 0) return settings;
  static const bool proved = tls::run_self_test().empty();
  if (!proved) throw std::runtime_error("OpenSSL's connections cannot be taken over");
  settings->ticket_keys = std::make_shared<tls::TicketKeys>();
  if (legs.client != 0) {
    config::ListenerTls listener;
    listener.certificates.push_back(credentials().certificate);
    settings->tls["web"] = std::make_shared<tls::ServerContext>(listener, "web", *settings->ticket_keys);
  }
  if (legs.origin != 0) {
    config::UpstreamTls upstream;
    upstream.ca = credentials().ca;
    settings->upstreams.back().tls = std::make_shared<tls::ClientContext>(upstream);
  }
  return settings;
}

SSL_CTX* peer_context(Legs legs, bool is_client) {
  const int version = is_client ? legs.client : legs.origin;
  if (version == 0) return nullptr;
  static const std::array contexts{make_peer_context(false, TLS1_2_VERSION), make_peer_context(false, TLS1_3_VERSION),
                                   make_peer_context(true, TLS1_2_VERSION), make_peer_context(true, TLS1_3_VERSION)};
  return contexts[(is_client ? 2 : 0) + (version == TLS1_3_VERSION ? 1 : 0)].get();
}

Wire::Wire(handoff::UniqueFd socket, SSL_CTX* context)
    : socket_(std::move(socket)), tls_(context != nullptr ? std::make_unique<test::Peer>(context) : nullptr) {}

void Wire::say(const std::string& words, KeyUpdate keys) {
  unsaid_ += words;
  keys_ = keys;
}

void Wire::end(bool bluntly) { end_ = bluntly ? End::blunt : End::good; }

// Only while nothing waits to be written, so that the peer is as slow as its socket.
void Wire::seal() {
  if (!tls_) {
    outgoing_ += std::exchange(unsaid_, {});
    return;
  }
  if (outgoing_.empty() && tls_->shake()) {
    if (keys_ != KeyUpdate::none && SSL_version(tls_->ssl()) == TLS1_3_VERSION) {
      tls_->update_keys(keys_ == KeyUpdate::mutual);
    }
    keys_ = KeyUpdate::none;
    tls_->write(std::string_view(unsaid_).substr(0, words_max));
    unsaid_.erase(0, words_max);
    if (unsaid_.empty() && end_ == End::good) {
      tls_->end();
      end_ = End::blunt;                   // only the FIN remains
    }
  }
  outgoing_ += tls_->take();
}

bool Wire::turn(std::size_t reads_max, std::size_t writes_max) {
  seal();
  ssize_t put = 0;
  if (!outgoing_.empty()) {
    put = ::send(socket_.get(), outgoing_.data(), std::min(writes_max, outgoing_.size()), MSG_NOSIGNAL);
    if (put > 0) outgoing_.erase(0, static_cast<std::size_t>(put));
    if (put < 0 && errno != EAGAIN) broke_ = true;      // the kernel reports a reset only once
  }
  const bool shaken = !tls_ || tls_->is_done();
  if (shaken && all_said() && (end_ == End::blunt || (end_ == End::good && !tls_))) {
    ::shutdown(socket_.get(), SHUT_WR);
    end_ = End::sent;
  }
  if (shaken && all_said() && end_ == End::reset) {
    const linger at_once{1, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket_.reset();
    return true;
  }
  std::string bytes(std::min(reads_max, std::size_t{1} << 16), '\0');
  const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
  if (got == 0) saw_end_ = true;
  if (got < 0 && errno != EAGAIN) broke_ = true;
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (tls_) {
    tls_->put(bytes);
    if (tls_->shake()) heard_ += tls_->read();
    outgoing_ += tls_->take();
  } else {
    heard_ += bytes;
  }
  return put > 0 || got > 0;
}

}  // namespace baton::proxy
