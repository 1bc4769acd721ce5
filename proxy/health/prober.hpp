// Probes servers in a thread of its own: connects as the proxy would, with the same TLS, and sends one request.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "config/health.hpp"
#include "proxy/arrival/proxy_header.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/state/address.hpp"
#include "proxy/tls/client_context.hpp"

namespace baton::health {

struct Target {
  state::SocketAddress address;
  std::string host;                                     // what a certificate must name
  std::shared_ptr<const tls::ClientContext> tls{};      // none: plain
  std::optional<arrival::ProxyVersion> proxy_header{};  // sent first, and names no client
  config::ActiveHealth terms{};
  config::ServerProtocol protocol = config::ServerProtocol::http1;  // of requests

  // The Host field of the request.
  std::string authority() const;
};

class Prober {
 public:
  // Why a server is not well; empty: it is.
  using Result = std::string;
  // Called in the prober's thread, once for each probe.
  using Done = std::function<void(std::uint64_t id, Result result)>;

  // Throws std::system_error if the thread cannot be started.
  explicit Prober(Done done);
  // Probes under way end without a result.
  ~Prober();

  // From any thread. An id is used by one probe at a time.
  void probe(std::uint64_t id, Target target);

 private:
  class Probe;

  void begin(std::uint64_t id, Target target);
  void end(Probe& probe, Result result);
  void expire(std::int64_t now_ms);

  const Done done_;
  runtime::Loop loop_;
  std::map<std::uint64_t, std::unique_ptr<Probe>> probes_;  // of the thread
  std::thread thread_;
};

}  // namespace baton::health
