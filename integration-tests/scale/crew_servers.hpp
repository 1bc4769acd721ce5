// What a crew talks to: an origin, by HTTP/1, raw TCP and, through another Baton, HTTP/2, and a server of gRPC.
#pragma once

#include "harness/baton.hpp"
#include "harness/http2_origin.hpp"
#include "scale/habits.hpp"

namespace baton::harness {

class CrewServers {
 public:
  explicit CrewServers(Course& course) { habits::serve(origin_, course); }

  // Of a Baton with a listener for HTTP and one for raw TCP before them, whose timeouts do not expire. What names the
  // host `back` goes by HTTP/2.
  Settings settings() const {
    Settings settings = patient();
    settings.binds = {loopback(free_port())};
    settings.tcp_binds = {loopback(free_port())};
    settings.more_upstreams = "  - { name: back, protocol: http2, servers: [ { address: \"" + back_.address().text() +
                              "\" } ] }\n" + "  - { name: grpc, protocol: http2, servers: [ { address: \"" +
                              grpc_.address().text() + "\" } ] }\n";
    settings.more =
        "routes:\n  - { match: { path_prefix: /grpc }, upstream: grpc }\n"
        "  - { match: { host: back }, upstream: back }\n  - { upstream: web }\n";
    return settings;
  }

 private:
  Settings patient() const {
    Settings settings(origin_.address());
    settings.timeouts = "handshake: 10m, connect: 10m, head: 10m, body: 10m, send: 10m, idle: 10m, response: 10m";
    return settings;
  }

  Origin origin_;
  Http2Origin grpc_;
  Baton back_{patient()};
};

}  // namespace baton::harness
