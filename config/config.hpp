// The configuration as plain values. `config/load.hpp` makes it from YAML; it never changes afterwards.
//
// Durations are milliseconds, sizes are bytes; a limit of 0 means "no limit", a duration of 0 means "at once".
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/balancing.hpp"
#include "config/client_rules.hpp"
#include "config/file.hpp"
#include "config/gate.hpp"
#include "config/health.hpp"
#include "config/network.hpp"
#include "config/retries.hpp"
#include "config/rewrite.hpp"

namespace baton::config {

using Milliseconds = std::chrono::milliseconds;

// The maxima of `limits.head_bytes` and `limits.buffer_bytes`. A handover carries no more, so to raise them, raise its
// limit first.
inline constexpr std::uint64_t head_bytes_max = 1024 * 1024;
inline constexpr std::uint64_t buffer_bytes_max = 4 * 1024 * 1024;

// The most a successor can inherit: listening sockets (the handover carries somewhat more, for those of the admin
// interface and of the instance itself), and the whole configuration as `print` writes it.
inline constexpr std::size_t listening_sockets_max = 65'000;
inline constexpr std::size_t written_bytes_max = 8 * 1024 * 1024;

// For the path of a route. It bounds how much of a request's path can matter to routing.
inline constexpr std::size_t route_path_bytes_max = 1024;

// An address as written: `host:port`, `[v6]:port`, `:port`, `unix:/path`, or for a server also `srv:NAME`. The form is
// checked; nothing is resolved yet.
struct Address {
  std::string host;  // empty for `:port`: every address of both families
  std::uint16_t port = 0;
  std::string unix_path;  // not empty: a Unix socket, and host and port are unused
  std::string srv = {};   // not empty: the name of SRV records (RFC 2782), and the others are unused
  Position where = {};

  // Compares the address, not its position.
  bool operator==(const Address& other) const {
    return host == other.host && port == other.port && unix_path == other.unix_path && srv == other.srv;
  }

  // As an operator would write it. This is the address's name in logs, errors and the handover.
  std::string text() const;
};

// Our identity in TLS, in PEM.
struct Certificate {
  File cert;  // the chain, leaf first
  File key;
  bool operator==(const Certificate&) const = default;
};

// Which certificates are read again when their files change.
enum class Watch { folders, all, none };

enum class TlsMinimum { tls12, tls13 };
enum class ClientAuth { off, optional, required };

struct ListenerTls {
  // At least one of these or of `folders`; the first is for clients that name no host or an unknown one.
  std::vector<Certificate> certificates;
  TlsMinimum min_version = TlsMinimum::tls12;
  std::vector<std::string> alpn;  // in order of preference; empty: no ALPN
  ClientAuth client_auth = ClientAuth::off;
  std::optional<File> client_ca;  // if and only if client_auth is not off
  bool session_tickets = true;
  TlsMinimum max_version = TlsMinimum::tls13;  // not below min_version
  // In order of preference, in OpenSSL's names; each empty: all that Baton speaks.
  std::vector<std::string> ciphers = {};       // of TLS 1.2
  std::vector<std::string> ciphersuites = {};  // of TLS 1.3
  std::vector<std::string> curves = {};
  // Patterns of glob(3) without a slash at the end. What is found in these folders comes after `certificates`.
  std::vector<File> folders = {};
  bool operator==(const ListenerTls&) const = default;
};

struct UpstreamTls {
  bool verify = true;
  std::optional<File> ca;   // nothing: the system's CAs
  std::string server_name;  // empty: the host of the server's address, or none if that is an IP address or a Unix path
  std::optional<Certificate> certificate;  // ours, for servers that ask for one
  TlsMinimum min_version = TlsMinimum::tls12;
  bool operator==(const UpstreamTls&) const = default;
};

enum class Protocol { http, tcp };

// Which connections of a tcp listener a route takes: those that meet every given condition. The first two are about the
// ClientHello of a connection that passes undecrypted.
struct TcpMatch {
  std::vector<std::string> sni;  // as Match::hosts
  std::vector<std::string> alpn;
  std::vector<Network> client;
  bool operator==(const TcpMatch&) const = default;
};

struct TcpRoute {
  TcpMatch match;
  std::string upstream;
  Access access = {};  // besides the listener's
  Position where;

  // Compares the route, not its position.
  bool operator==(const TcpRoute& other) const {
    return match == other.match && upstream == other.upstream && access == other.access;
  }
};

struct Listener {
  std::string name;
  std::vector<Address> bind;
  Protocol protocol = Protocol::http;
  std::string upstream;            // for tcp, one of `upstreams`; empty for http, where routes choose
  std::optional<ListenerTls> tls;  // nothing: clients connect in plaintext
  std::optional<TrustedProxies> trusted_proxies;  // nothing: those of the whole configuration
  ProxyProtocol proxy_protocol = ProxyProtocol::off;
  unsigned backlog = 4096;
  Milliseconds tcp_keepalive{60'000};  // silence before the first probe, in whole seconds; 0: none
  std::vector<TcpRoute> routes;        // for tcp; what none takes goes to `upstream`
  Access access = {};                  // for tcp; http routes have their own
  Position where;

  // Compares the listener, not its position.
  bool operator==(const Listener& other) const {
    return name == other.name && bind == other.bind && protocol == other.protocol && upstream == other.upstream &&
           tls == other.tls && trusted_proxies == other.trusted_proxies && proxy_protocol == other.proxy_protocol &&
           backlog == other.backlog && tcp_keepalive == other.tcp_keepalive && routes == other.routes &&
           access == other.access;
  }
};

struct Server {
  Address address;
  unsigned weight = 1;  // 1 to 256
  std::uint64_t max_connections = 0;  // exchanges at a time; 0: no limit
  bool backup = false;                // only if no other server is available
  bool drain = false;                 // no new clients
  bool operator==(const Server&) const = default;
};

enum class NameFamily { any, ipv4, ipv6 };

// How the names of servers are looked up again and again.
struct Resolve {
  Milliseconds every{10'000};
  NameFamily family = NameFamily::any;
  std::vector<Address> nameservers;  // IP addresses; empty: the system's
  bool operator==(const Resolve&) const = default;
};

// What requests are sent in.
enum class ServerProtocol {
  http1,
  http2,
  automatic,  // HTTP/2 where the server agrees on it by ALPN, which needs TLS
};

struct Upstream {
  std::string name;
  std::vector<Server> servers;
  std::optional<UpstreamTls> tls;  // nothing: plaintext to its servers
  Milliseconds tcp_keepalive{60'000};  // as of a listener
  ProxyHeaderSent proxy_protocol = ProxyHeaderSent::off;
  std::optional<Resolve> resolve = {};  // nothing: names are looked up at the start and at a reload
  Balancing balancing = {};
  std::optional<Health> health = {};
  ServerProtocol protocol = ServerProtocol::http1;
  bool operator==(const Upstream&) const = default;
};

// What a request must say under a name, in a header or in its query.
struct ValueCondition {
  std::string name;
  enum class Asks { value, present, absent } asks = Asks::value;
  std::string value;  // for Asks::value; otherwise empty
  bool operator==(const ValueCondition&) const = default;
};

// Which requests a route takes: those that meet every given condition.
struct Match {
  // Lowercase, without a trailing dot or a port: `api.example.com`, `10.0.0.1`, `[::1]`, or `*.example.com` for every
  // host below `example.com`. Empty: every host, and requests that name none.
  std::vector<std::string> hosts;
  // At most one of these; none: every path. The first two are without percent-encoding, repeated slashes, `.` or `..`.
  std::string path;         // exactly this path
  std::string path_prefix;  // this path and all below it; no trailing slash except in `/`
  std::string path_regex;   // PathRegex; for the path in that form
  // Each empty: every request.
  std::vector<std::string> methods;     // one of these, in this case
  std::vector<ValueCondition> headers;  // all of these; names in lowercase
  std::vector<ValueCondition> queries;  // all of these; names and values decoded
  std::vector<Network> clients;         // one of these has the client's address

  // How many conditions it has besides host and path. Of two routes for one host and path, the one with more goes
  // first.
  std::size_t conditions() const {
    return (methods.empty() ? 0u : 1u) + headers.size() + queries.size() + (clients.empty() ? 0u : 1u);
  }

  // As one word: `api.example.com/v1/*`, or `*` for every request. Unique for each match.
  std::string text() const;

  bool operator==(const Match&) const = default;
};

// What replaces the global timeouts and limits for the requests of a route; nothing: the global ones hold.
struct RouteTimeouts {
  std::optional<Milliseconds> body = {};
  std::optional<Milliseconds> send = {};
  std::optional<Milliseconds> connect = {};
  std::optional<Milliseconds> response = {};
  std::optional<Milliseconds> response_body = {};
  std::optional<Milliseconds> total = {};
  std::optional<Milliseconds> tunnel_idle = {};
  bool operator==(const RouteTimeouts&) const = default;
};
struct RouteLimits {
  std::optional<std::uint64_t> body_bytes = {};
  std::optional<std::uint64_t> buffer_bytes = {};
  bool operator==(const RouteLimits&) const = default;
};

// One upstream of a split.
struct Share {
  std::string upstream;      // names one of `upstreams`
  std::uint64_t weight = 1;  // 0: no new requests
  Position where = {};

  // Compares the share, not its position.
  bool operator==(const Share& other) const { return upstream == other.upstream && weight == other.weight; }
};

// Where requests from http listeners go.
inline constexpr std::uint16_t access_log_all = 10'000;

struct Route {
  std::string name;  // empty: named by its match
  Match match;
  std::string upstream;  // names one of `upstreams`; empty: `split` does, or `gate` answers every request
  Gate gate;
  RouteTimeouts timeouts = {};
  RouteLimits limits = {};
  std::optional<Retries> retries = {};  // nothing: once on each server, if it could not be connected or was lost
  std::vector<std::string> upgrades{"websocket"};  // protocols of Upgrade that pass, in lowercase; never HTTP
  std::uint16_t access_log = access_log_all;       // which share of its requests is logged, in hundredths of a percent
  std::vector<Share> split = {};  // empty, unless `upstream` is; not every weight is 0
  PathRewrite path = {};
  HostRewrite host = {};
  FieldEdits request_headers = {};
  FieldEdits response_headers = {};
  Position where;

  // The name in logs and metrics.
  std::string label() const { return name.empty() ? match.text() : name; }
  // What it does with a request, in a few words.
  std::string action_text() const;

  // Compares the route, not its position.
  bool operator==(const Route& other) const {
    return name == other.name && match == other.match && upstream == other.upstream && gate == other.gate &&
           timeouts == other.timeouts && limits == other.limits && retries == other.retries &&
           upgrades == other.upgrades && access_log == other.access_log && path == other.path && host == other.host &&
           request_headers == other.request_headers && response_headers == other.response_headers &&
           split == other.split;
  }
};

struct Timeouts {
  Milliseconds handshake{10'000};
  Milliseconds head{15'000};
  Milliseconds body{60'000};
  Milliseconds send{60'000};
  Milliseconds idle{75'000};
  Milliseconds connect{5'000};
  Milliseconds response{60'000};
  Milliseconds response_body{300'000};
  Milliseconds total{0};  // 0: no limit
  Milliseconds upstream_idle{55'000};
  Milliseconds tunnel_idle{3'600'000};
  Milliseconds shutdown{30'000};
  bool operator==(const Timeouts&) const = default;
};

struct Limits {
  std::uint64_t head_bytes = 32 * 1024;
  std::uint64_t uri_bytes = 8 * 1024;
  std::uint64_t fields = 100;
  std::uint64_t body_bytes = 0;
  std::uint64_t requests_per_connection = 0;
  std::optional<std::uint64_t> connections;  // nothing: auto, from RLIMIT_NOFILE
  std::uint64_t buffer_bytes = 32 * 1024;
  std::uint64_t upstream_connections = 0;
  std::uint64_t requests_per_second_per_client = 0;
  std::uint64_t connections_per_client = 0;
  // Of each HTTP/2 connection: streams that are open at a time, and the windows for what clients send.
  std::uint64_t http2_streams = 100;
  std::uint64_t http2_stream_window = 256 * 1024;
  std::uint64_t http2_connection_window = 4 * 1024 * 1024;
  bool operator==(const Limits&) const = default;
};

// What goes on after a crash of the worker: all connections, or only idle ones.
enum class Survive { all, idle, off };

// Some of the clients try a successor first.
struct Canary {
  std::uint16_t share = 0;    // of the clients, in hundredths of a percent, at most half of them
  Milliseconds bake{30'000};  // until it may be trusted
  Milliseconds max{300'000};  // until it must have been; not less
  bool operator==(const Canary&) const = default;
};
inline constexpr std::uint16_t canary_share_max = 5'000;

struct Handoff {
  std::optional<std::string> socket;  // nothing: <runtime directory>/handoff.sock
  Milliseconds ready_timeout{10'000};
  Milliseconds step_timeout{2'000};
  Milliseconds finish_timeout{2'000};
  Milliseconds drain_timeout{30'000};
  Milliseconds probation{0};
  std::optional<Canary> canary;  // nothing: all clients move at once
  Survive survive = Survive::all;
  bool operator==(const Handoff&) const = default;
};

enum class LogLevel { debug, info, warning, error };
enum class LogFormat { text, json };
enum class AccessFormat { combined, json, logfmt, text };

struct AccessLog {
  std::string path;                    // "-" is standard output; empty: `syslog`
  std::optional<Address> syslog = {};  // UDP, or a Unix socket of datagrams
  AccessFormat format = AccessFormat::combined;
  Template text = {};  // of the format `text`
  bool operator==(const AccessLog&) const = default;
};

struct Log {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  std::optional<AccessLog> access;  // nothing: off
  bool operator==(const Log&) const = default;
};

// For request fields with an underscore in their names, which many applications treat as a hyphen.
enum class Underscores { drop, pass };

// Positions of values that are stored without one. They do not count when configurations are compared.
struct Places {
  Position handoff_socket;
  Position pid_file;
  Position access_log;
  Position connections;
  std::vector<std::string> files;  // those of the configuration, in the order in which they were read
  bool operator==(const Places&) const { return true; }
};

struct Config {
  std::vector<Listener> listeners;  // at least one
  std::vector<Upstream> upstreams;  // at least one
  // In file order, which decides only between routes with equally specific hosts and paths. Empty only if every
  // listener is tcp and there are several upstreams.
  std::vector<Route> routes;
  Timeouts timeouts;
  Limits limits;
  Handoff handoff;
  std::vector<std::optional<Address>> admin{std::nullopt};  // nothing: unix:<runtime directory>/admin.sock
  std::string admin_token;              // a client needs it to send commands over TCP; empty: none may
  std::optional<std::string> pid_file;  // nothing: <runtime directory>/baton.pid
  std::optional<unsigned> workers;      // nothing: auto, one per CPU available to us
  Log log;
  Underscores underscores = Underscores::drop;
  TrustedProxies trusted_proxies;  // of listeners without their own
  ForwardedFields forwarded;
  std::optional<RequestId> request_id;  // nothing: requests get no id
  Tracing tracing = Tracing::off;
  Watch watch = Watch::folders;
  std::map<std::uint16_t, File> error_pages;  // of answers of our own, by status
  Maintenance maintenance;
  Places places;
  bool operator==(const Config&) const = default;

  const Upstream* find_upstream(const std::string& name) const;
};

}  // namespace baton::config
