#include "proxy/state/from_wire.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace baton::state {

namespace {

struct Reader {
  std::int64_t clock_offset_ms;
  std::string_view& secrets;              // not taken yet

  template <class Narrow>
  static bool fits(std::uint64_t value, Narrow& out) {
    if (value > std::numeric_limits<Narrow>::max()) return false;
    out = static_cast<Narrow>(value);
    return true;
  }

  // 0 stands for "never" and stays so. Nobody's clock has come far enough that adding a timeout could overflow.
  bool time(std::int64_t there, std::int64_t& here) const {
    constexpr std::int64_t time_max = std::int64_t{1} << 53;
    if (there < -time_max || there > time_max) return false;
    here = there == 0 ? 0 : there + clock_offset_ms;
    return true;
  }

  bool read(const wire::Address& in, SocketAddress& out) const {
    if (in.family() > static_cast<std::uint32_t>(Family::unix_path)) return false;
    out.family = static_cast<Family>(in.family());
    const std::size_t ip_bytes = out.family == Family::ipv4 ? 4 : out.family == Family::ipv6 ? 16 : 0;
    if (in.ip().size() != ip_bytes) return false;
    std::copy(in.ip().begin(), in.ip().end(), out.ip.begin());
    out.scope = in.scope();
    out.path = in.path();
    return fits(in.port(), out.port);
  }

  template <std::size_t bytes>
  bool take(std::array<unsigned char, bytes>& out) const {
    if (secrets.size() < bytes) return false;
    std::memcpy(out.data(), secrets.data(), bytes);
    secrets.remove_prefix(bytes);
    return true;
  }
  bool take(TlsSecrets& out) const { return take(out.traffic) && take(out.key) && take(out.iv); }

  bool read(const wire::Tls& in, Tls& out) const {
    out.stage = static_cast<TlsStage>(in.stage());
    if (in.stage() != static_cast<std::uint32_t>(TlsStage::hello) &&
        in.stage() != static_cast<std::uint32_t>(TlsStage::records)) {
      return false;
    }
    out.received.append(in.received());
    out.sealed.append(in.sealed());
    out.is_client = in.is_client();
    out.read.sequence = in.read_sequence();
    out.write.sequence = in.write_sequence();
    out.explicit_nonce = in.explicit_nonce();
    out.key_update_owed = in.key_update_owed();
    out.no_renegotiation_owed = in.no_renegotiation_owed();
    out.close_received = in.close_received();
    out.message_left = in.message_left();
    out.burst_bytes = in.burst_bytes();
    out.facts = {in.server_name(), in.alpn(), in.client_subject(), in.resumed(), in.terms()};
    if (in.end() > static_cast<std::uint32_t>(TlsEnd::shut)) return false;
    out.end = static_cast<TlsEnd>(in.end());
    if (in.message_head().size() > out.message_head.size()) return false;
    std::copy(in.message_head().begin(), in.message_head().end(), out.message_head.begin());
    out.message_head_bytes = static_cast<std::uint8_t>(in.message_head().size());
    const bool is_sound = time(in.since_ms(), out.since_ms) && time(in.sealed_at_ms(), out.sealed_at_ms) &&
                          fits(in.version(), out.version) && fits(in.suite(), out.suite) &&
                          fits(in.fragment_bytes(), out.fragment_bytes) && fits(in.alert(), out.alert) &&
                          fits(in.idle_records(), out.idle_records);
    if (!is_sound || out.stage == TlsStage::hello) return is_sound;
    const bool is_tls13 = out.version == 0x0304;
    if (is_tls13 ? out.no_renegotiation_owed : out.key_update_owed) return false;      // the other version's
    return out.fragment_bytes != 0 && out.fragment_bytes <= 16384 && take(out.read.secrets) && take(out.write.secrets);
  }

  bool read(const wire::Leg& in, Leg& out) const {
    if (in.has_tls() && !read(in.tls(), out.tls.emplace())) return false;
    out.unread.append(in.unread());
    out.unsent.append(in.unsent());
    out.read_ended = in.read_ended();
    out.write_ended = in.write_ended();
    out.was_reset = in.was_reset();
    return time(in.read_at_ms(), out.read_at_ms) && time(in.write_at_ms(), out.write_at_ms);
  }

  bool read(const wire::Framing& in, BodyFraming& out) const {
    switch (in.kind_case()) {
      case wire::Framing::kNoBody:
        out = NoBody{};
        return true;
      case wire::Framing::kByLength:
        out = ByLength{in.by_length().remaining()};
        return in.by_length().remaining() != 0;
      case wire::Framing::kByChunks: {
        const auto& chunks = in.by_chunks();
        if (chunks.position() > static_cast<std::uint32_t>(ChunkPosition::trailers)) return false;
        auto position = static_cast<ChunkPosition>(chunks.position());
        if (const std::uint32_t within = chunks.within_extension(); within != 0) {
          const bool is_one = within > static_cast<std::uint32_t>(ChunkPosition::trailers) &&
                              within <= static_cast<std::uint32_t>(last_chunk_position);
          if (!is_one || position != ChunkPosition::extension) return false;
          position = static_cast<ChunkPosition>(within);
        }
        out = ByChunks{position, chunks.remaining(), chunks.line_bytes()};
        return true;
      }
      case wire::Framing::kUntilClose:
        out = UntilClose{};
        return true;
      case wire::Framing::KIND_NOT_SET:
        break;
    }
    return false;
  }

  bool read(const wire::Request& in, Request& out) const {
    out.body_bytes = in.body_bytes();
    out.body_bytes_max = in.body_bytes_max();
    out.head_only = in.head_only();
    out.idempotent = in.idempotent();
    out.http10 = in.http10();
    out.keep_alive = in.keep_alive();
    out.expects_continue = in.expects_continue();
    out.wants_websocket = in.wants_websocket();
    out.asked_close = in.asked_close();
    return read(in.body(), out.body) && !std::holds_alternative<UntilClose>(out.body);
  }

  bool read(const wire::Access& in, Exchange& out) const {
    out.response_bytes = in.response_bytes();
    out.started_unix_us = in.started_unix_us();
    if (!in.request_line().empty()) {
      AccessRecord& access = out.access.emplace();
      access.request_line = in.request_line();
      access.referer = in.referer();
      access.user_agent = in.user_agent();
      access.upstream = in.upstream();
    }
    return time(in.started_ms(), out.started_ms) && fits(in.status(), out.status);
  }

  bool read(const wire::Relaying& in, Request& request, Relaying& out) const {
    out.head_bytes = in.head_bytes();
    out.held = in.held();
    out.upload_abandoned = in.upload_abandoned();
    if (!in.has_request() || !read(in.request(), request) || !fits(in.attempts(), out.attempts)) return false;
    switch (in.response_case()) {
      case wire::Relaying::kAwaited: {
        auto& awaited = out.response.emplace<ResponseAwaited>();
        awaited.scanned = in.awaited().scanned();
        awaited.interim_bytes = in.awaited().interim_bytes();
        return true;
      }
      case wire::Relaying::kRelayed: {
        auto& relayed = out.response.emplace<ResponseRelayed>();
        relayed.dechunk = in.relayed().dechunk();
        relayed.upstream_keep_alive = in.relayed().upstream_keep_alive();
        relayed.may_be_quiet = in.relayed().may_be_quiet();
        return read(in.relayed().body(), relayed.body);
      }
      case wire::Relaying::RESPONSE_NOT_SET:
        break;
    }
    return false;
  }

  // What of an exchange its phases share.
  Exchange* begin(const wire::Http1& in, ConnectionState& out) const {
    Exchange& exchange = out.exchange.emplace();
    exchange.route = in.route();
    return !in.has_access() || read(in.access(), exchange) ? &exchange : nullptr;
  }

  bool read(const wire::Http1& in, ConnectionState& out) const {
    Http1& http1 = out.protocol.emplace<Http1>();
    http1.requests = in.requests();
    switch (in.phase_case()) {
      case wire::Http1::kAwaiting: {
        auto& phase = http1.phase.emplace<AwaitingRequest>();
        phase.scanned = in.awaiting().scanned();
        return time(in.awaiting().since_ms(), phase.since_ms);
      }
      case wire::Http1::kConnecting: {
        Exchange* const exchange = begin(in, out);
        if (exchange == nullptr) return false;
        auto& phase = exchange->phase.emplace<Connecting>();
        phase.head_bytes = in.connecting().head_bytes();
        phase.fresh = in.connecting().fresh();
        return in.connecting().has_request() && read(in.connecting().request(), exchange->request) &&
               fits(in.connecting().attempts(), phase.attempts);
      }
      case wire::Http1::kRelaying: {
        Exchange* const exchange = begin(in, out);
        return exchange != nullptr && read(in.relaying(), exchange->request, exchange->phase.emplace<Relaying>());
      }
      case wire::Http1::kAnswering: {
        Exchange* const exchange = begin(in, out);
        if (exchange != nullptr) exchange->phase = Answering{};
        return exchange != nullptr;
      }
      case wire::Http1::kLingering:
        return time(in.lingering().since_ms(), http1.phase.emplace<Lingering>().since_ms);
      case wire::Http1::PHASE_NOT_SET:
        break;
    }
    return false;
  }

  bool read(const wire::Tunnel& in, ConnectionState& out) const {
    out.protocol = Raw{};
    Exchange& exchange = out.exchange.emplace();
    auto& tunnel = exchange.phase.emplace<Tunnelling>();
    exchange.route = in.route();
    tunnel.upstream = in.upstream();
    return fits(in.attempts(), tunnel.attempts) && (!in.has_access() || read(in.access(), exchange));
  }

  bool read(const wire::Upstream& in, UpstreamLeg& out) const {
    out.upstream = in.name();
    out.reused = in.reused();
    return read(in.server(), out.server) && read(in.leg(), static_cast<Leg&>(out));
  }

  bool read_protocol(const wire::Connection& in, ConnectionState& out) const {
    switch (in.protocol_case()) {
      case wire::Connection::kHttp1: return read(in.http1(), out);
      case wire::Connection::kTunnel: return read(in.tunnel(), out);
      case wire::Connection::PROTOCOL_NOT_SET: break;
    }
    return false;
  }

  bool read(const wire::Connection& in, ConnectionState& out) const {
    out.id = in.id();
    out.listener = in.listener();
    if (!read(in.client_address(), out.client_address) || !in.has_client() || !read(in.client(), out.client) ||
        !read_protocol(in, out)) {
      return false;
    }
    if (!in.has_upstream()) return true;
    return out.exchange && read(in.upstream(), out.exchange->upstream.emplace());
  }
};

}  // namespace

bool read(const wire::Connection& in, std::int64_t clock_offset_ms, std::string_view& secrets, ConnectionState& out) {
  return Reader{clock_offset_ms, secrets}.read(in, out);
}

bool read(const wire::IdleUpstream& in, std::int64_t clock_offset_ms, std::string_view& secrets, IdleUpstream& out) {
  const Reader reader{clock_offset_ms, secrets};
  out.upstream = in.upstream();
  return reader.time(in.idle_since_ms(), out.idle_since_ms) && reader.read(in.server(), out.server) &&
         reader.read(in.leg(), out.leg);
}

}  // namespace baton::state
