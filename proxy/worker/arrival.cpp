// How a connection begins where something comes before its own protocol: a PROXY header, or the ClientHello by which a
// tcp listener chooses the upstream.
#include "proxy/arrival/client_hello.hpp"
#include "proxy/arrival/proxy_header.hpp"
#include "proxy/worker/connection.hpp"
#include "proxy/worker/worker.hpp"

namespace baton::proxy {

using arrival::ClientHello;
using arrival::ProxyHeader;
using config::ProxyProtocol;
using runtime::Io;

bool Connection::refuse_arrival(std::string_view why) {
  counts_->bad_arrival.add();
  return end_arrival(why);
}

bool Connection::end_arrival(std::string_view why) {
  worker_.note_arrival_failure(state_, why);
  close(false);
  return false;
}

bool Connection::deny_arrival() {
  counts_->no_access.add();
  return end_arrival("its address has no access");
}

bool Connection::refuse_for_client() {
  worker_.note_one_too_many(state_);
  close(false);
  return false;
}

bool Connection::receive_arrival(std::size_t bytes) {
  switch (client_.receive(state_.client, bytes)) {
    case Io::done:
      state_.client.read_at_ms = worker_.now_ms();
      return true;
    case Io::would_block:
      set_deadline();
      return false;
    case Io::ended:
    case Io::failed:
      break;
  }
  close(false);  // a health check that only connects
  return false;
}

bool Connection::pass_header() {
  state::Leg& leg = state_.client;
  auto& arriving = std::get<state::Arriving>(state_.protocol);
  while (!arriving.is_past_header && listener_->proxy_protocol != ProxyProtocol::off) {
    const bool is_required = listener_->proxy_protocol == ProxyProtocol::require;
    if (is_required && !is_trusted_) return refuse_arrival("it must send a PROXY header and is not in trusted_proxies");
    ProxyHeader header = arrival::find_proxy_header(leg.unread.view());
    switch (header.found) {
      case ProxyHeader::Found::incomplete:
        if (!receive_arrival(arrival::proxy_header_bytes_max - leg.unread.size())) return false;
        continue;
      case ProxyHeader::Found::malformed:
        return refuse_arrival("its PROXY header is malformed");
      case ProxyHeader::Found::none:
        if (is_required) return refuse_arrival("it does not begin with a PROXY header");
        break;
      case ProxyHeader::Found::whole:
        if (!is_trusted_) return refuse_arrival("it sends a PROXY header and is not in trusted_proxies");
        leg.unread.consume(header.bytes);
        if (!header.names_client) break;
        state_.client_address = std::move(header.client);
        if (!header.fields.empty()) state_.proxy_fields.emplace() = header.fields;
        client_text_ = state_.client_address.node_text();
        is_trusted_ = trusted_proxies().trusts(state_.client_address);
        if (count_for_client()) return refuse_for_client();
        break;
    }
    break;
  }
  arriving.is_past_header = true;
  return true;
}

bool Connection::arrive() {
  if (listener_ == nullptr) return refuse_arrival("its listener is gone");
  if (!pass_header()) return false;
  if (!listener_->access.admits(state_.client_address)) return deny_arrival();
  ClientHello hello{.found = ClientHello::Found::none};
  if (listener_->tcp_routes.need_hello()) {
    for (;;) {
      const state::Buffer& unread = state_.client.unread;
      hello = arrival::find_client_hello(unread.view());
      if (hello.found != ClientHello::Found::incomplete) break;
      if (!receive_arrival(arrival::client_hello_bytes_max - unread.size())) return false;
    }
  }
  return admit_arrival(hello.server_name, hello.alpn);
}

bool Connection::admit_arrival(std::string_view server_name, const std::vector<std::string>& alpn) {
  const auto* const chosen = listener_->tcp_routes.choose(server_name, alpn, state_.client_address);
  const bool is_admitted = listener_->access.admits(state_.client_address) &&
                           (chosen == nullptr || chosen->access.admits(state_.client_address));
  if (!is_admitted) return deny_arrival();
  begin_protocol(chosen != nullptr ? chosen->upstream : worker_.settings().config.listeners[listener_->index].upstream);
  return true;
}

bool Connection::arrives_without_a_byte() {
  const bool is_past_header = std::get<state::Arriving>(state_.protocol).is_past_header;
  if (listener_ == nullptr || !state_.client.unread.empty()) return false;
  if (!is_past_header && listener_->proxy_protocol == ProxyProtocol::require) return false;
  return admit_arrival({}, {});
}

void Connection::begin_protocol(std::string_view upstream) {
  const config::Listener& listener = worker_.settings().config.listeners[listener_->index];
  const std::int64_t since_ms = std::get<state::Arriving>(state_.protocol).since_ms;
  state::Leg& leg = state_.client;
  if (listener.tls) {
    state::Tls& tls = leg.tls.emplace();
    tls.since_ms = since_ms;
    leg.unread.move_to(tls.received, leg.unread.size());
    server_context_ = worker_.server_context(state_.listener);
  }
  if (listener.protocol == config::Protocol::tcp) {
    worker_.begin_tunnel(state_, upstream);
    runner_.upstream().promise();
  } else {
    state_.protocol = state::Http1{.phase = state::AwaitingRequest{.since_ms = worker_.now_ms()}};
    may_begin_http2_ = !leg.tls;
  }
}

}  // namespace baton::proxy
