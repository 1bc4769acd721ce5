// What the operator may say, as plain values. `config/load.hpp` makes it from YAML; nobody changes it afterwards.
//
// Durations are milliseconds, sizes are bytes; a limit of 0 means "no limit", a duration of 0 means "at once".
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace baton::config {

using Milliseconds = std::chrono::milliseconds;

// The most that `limits.head_bytes` and `limits.buffer_bytes` may be. A handover carries no more, so its limit is to be
// raised first.
inline constexpr std::uint64_t head_bytes_max = 1024 * 1024;
inline constexpr std::uint64_t buffer_bytes_max = 4 * 1024 * 1024;

// What a successor can inherit: listening sockets (the handover carries somewhat more, for those of the admin interface and
// of the instance itself), and the whole configuration as `print` writes it.
inline constexpr std::size_t listening_sockets_max = 65'000;
inline constexpr std::size_t written_bytes_max = 8 * 1024 * 1024;

// Of the path of a route, so that whoever looks for one knows how much of a request's path can matter.
inline constexpr std::size_t route_path_bytes_max = 1024;

// Where a key stood in a file; line and column count from 1, line 0 means "not from a file" (a default).
struct Position {
  std::string file;
  int line = 0;
  int column = 0;
  bool operator==(const Position&) const = default;
};

// An address as written: `host:port`, `[v6]:port`, `:port` or `unix:/path`. Checked for form, not yet looked up.
struct Address {
  std::string host;  // empty for `:port`: every address of both families
  std::uint16_t port = 0;
  std::string unix_path;  // not empty: a Unix socket, and host and port mean nothing
  Position where = {};

  // The same address wherever it was written.
  bool operator==(const Address& other) const {
    return host == other.host && port == other.port && unix_path == other.unix_path;
  }

  // As the operator would write it: the name of the address in logs, errors and the handover.
  std::string text() const;
};

// A file that a key names. Nobody has opened it yet; who does and fails says so with its place.
struct File {
  std::string path;  // absolute
  Position where;

  // The same file wherever it was written.
  bool operator==(const File& other) const { return path == other.path; }
};

// Who we are to the other side of TLS, in PEM.
struct Certificate {
  File cert;  // the chain, the leaf first
  File key;
  bool operator==(const Certificate&) const = default;
};

enum class TlsMinimum { tls12, tls13 };
enum class ClientAuth { off, optional, required };

struct ListenerTls {
  std::vector<Certificate> certificates;  // at least one; the first is for clients that name no host, or an unknown one
  TlsMinimum min_version = TlsMinimum::tls12;
  std::vector<std::string> alpn;  // what may be agreed on, in order of preference; empty: nothing is
  ClientAuth client_auth = ClientAuth::off;
  std::optional<File> client_ca;  // if and only if client_auth is not off
  bool session_tickets = true;
  bool operator==(const ListenerTls&) const = default;
};

struct UpstreamTls {
  bool verify = true;
  std::optional<File> ca;   // nothing: the system's
  std::string server_name;  // empty: the host of the server's address, or none if that is an IP address or a Unix path
  std::optional<Certificate> certificate;  // ours, for a server that asks
  TlsMinimum min_version = TlsMinimum::tls12;
  bool operator==(const UpstreamTls&) const = default;
};

enum class Protocol { http, tcp };

struct Listener {
  std::string name;
  std::vector<Address> bind;
  Protocol protocol = Protocol::http;
  std::string upstream;            // of a tcp listener, names one of `upstreams`; empty for http, where routes choose
  std::optional<ListenerTls> tls;  // nothing: clients come in plain
  Position where;

  // The same listener wherever it was written.
  bool operator==(const Listener& other) const {
    return name == other.name && bind == other.bind && protocol == other.protocol && upstream == other.upstream &&
           tls == other.tls;
  }
};

struct Server {
  Address address;
  unsigned weight = 1;  // 1 to 256
  bool operator==(const Server&) const = default;
};

struct Upstream {
  std::string name;
  std::vector<Server> servers;
  std::optional<UpstreamTls> tls;  // nothing: its servers are spoken to plainly
  bool operator==(const Upstream&) const = default;
};

// Which requests a route takes: those that meet each condition that is given.
struct Match {
  // Lowercase, without a final dot and without a port: `api.example.com`, `10.0.0.1`, `[::1]`, or `*.example.com` for
  // every host below `example.com`. Empty: every host, and requests that name none.
  std::vector<std::string> hosts;
  // Without percent-encoding, repeated slashes, `.` and `..`. Both empty: every path.
  std::string path;         // this one alone
  std::string path_prefix;  // this one and what is below it; no slash at its end, unless it is `/`

  // As one word: `api.example.com/v1/*`, or `*` for every request. Of different matches it is different.
  std::string text() const;

  bool operator==(const Match&) const = default;
};

// Where requests of http listeners go.
struct Route {
  std::string name;  // empty: its match as text
  Match match;
  std::string upstream;  // names one of `upstreams`
  Position where;

  // The name in logs and metrics.
  std::string label() const { return name.empty() ? match.text() : name; }

  // The same route wherever it was written.
  bool operator==(const Route& other) const {
    return name == other.name && match == other.match && upstream == other.upstream;
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
  bool operator==(const Limits&) const = default;
};

struct Handoff {
  std::optional<std::string> socket;  // nothing: <runtime directory>/handoff.sock
  Milliseconds ready_timeout{10'000};
  Milliseconds step_timeout{2'000};
  Milliseconds finish_timeout{2'000};
  Milliseconds drain_timeout{30'000};
  Milliseconds probation{0};
  bool operator==(const Handoff&) const = default;
};

enum class LogLevel { debug, info, warning, error };
enum class AccessFormat { combined, json };

struct AccessLog {
  std::string path;  // "-" is standard output
  AccessFormat format = AccessFormat::combined;
  bool operator==(const AccessLog&) const = default;
};

struct Log {
  LogLevel level = LogLevel::info;
  std::optional<AccessLog> access;  // nothing: off
  bool operator==(const Log&) const = default;
};

// Fields of requests whose names have an underscore: many applications take it for a hyphen.
enum class Underscores { drop, pass };

// Where values stood that are kept without their places. Configurations are equal wherever that was.
struct Places {
  Position handoff_socket;
  Position pid_file;
  Position access_log;
  Position connections;
  bool operator==(const Places&) const { return true; }
};

struct Config {
  std::vector<Listener> listeners;  // at least one
  std::vector<Upstream> upstreams;  // at least one
  // In the order of the file, which decides only between routes whose hosts and paths are equally specific. Empty only
  // where every listener is tcp and there are several upstreams.
  std::vector<Route> routes;
  Timeouts timeouts;
  Limits limits;
  Handoff handoff;
  std::vector<std::optional<Address>> admin{std::nullopt};  // nothing: unix:<runtime directory>/admin.sock
  std::optional<std::string> pid_file;  // nothing: <runtime directory>/baton.pid
  std::optional<unsigned> workers;      // nothing: auto, one for each CPU we may use
  Log log;
  Underscores underscores = Underscores::drop;
  bool watch = false;  // certificates are loaded anew when their files change
  Places places;
  bool operator==(const Config&) const = default;

  const Upstream* find_upstream(const std::string& name) const;
};

}  // namespace baton::config
