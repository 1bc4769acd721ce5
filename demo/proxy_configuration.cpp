#include "demo/proxy_configuration.hpp"

#include <fmt/format.h>

#include "clients/dialogue.hpp"
#include "demo/canary_marks.hpp"

namespace baton::demo {

using boost::asio::ip::tcp;

namespace {

std::string text_of(const tcp::endpoint& endpoint) {
  const bool is_v6 = endpoint.address().is_v6();
  return fmt::format("{}{}{}:{}", is_v6 ? "[" : "", endpoint.address().to_string(), is_v6 ? "]" : "", endpoint.port());
}

std::string page_listener(const PageDoors& page) {
  return fmt::format(
      "  - name: page\n"
      "    bind: \"{}\"\n"
      "    protocol: http\n",
      text_of(page.listen));
}

std::string page_routes(const PageDoors& page) {
  const std::string rest =
      fmt::format("upstream: page, response_headers: {{ set: {{ {}: {} }} }} }}\n", colour_field, page.colour);
  return "  - { match: { path: / }, " + rest + "  - { match: { path_prefix: /page }, " + rest;
}

std::string faulty_route() {
  return fmt::format(
      "  - {{ match: {{ path_prefix: {} }}, response_headers: {{ set: {{ {}: here }} }},\n"
      "      split: [ {{ upstream: origin, weight: {} }}, {{ upstream: absent, weight: 1 }} ] }}\n",
      asked_prefix, canary_field, asked_for_each_failure - 1);
}

std::string faulty_upstream(const Faulty& faulty) {
  return fmt::format(
      "  - name: absent\n"
      "    servers:\n"
      "      - address: {}\n",
      text_of(faulty.absent));
}

std::string faulty_pages(const Faulty& faulty) {
  return fmt::format("error_pages: {{ 502: {0}, 503: {0} }}\n", faulty.page_path);
}

// A page may be in a tab that sleeps, and takes nothing.
constexpr const char* page_timeouts = "  shutdown: 2s\n";

std::string page_upstream(const PageDoors& page) {
  return fmt::format(
      "  - name: page\n"
      "    servers:\n"
      "      - address: {}\n",
      text_of(page.server));
}

}  // namespace

std::string configuration(const ProxySettings& settings) {
  const auto& [listen, origin, files, handoff_socket, admin_socket, pid_file, page, unusable, faulty] = settings;
  const std::string one_more =
      unusable ? fmt::format("  - name: unusable\n    bind: {}\n    protocol: http\n", text_of(*unusable)) : "";
  // The timeouts leave idle clients, half heads and streams alone for as long as any demo lasts; streams and tunnels
  // are moved mid-stream, soon after the signal. Raw TCP with TLS has it on both sides, HTTP with TLS before a plain
  // origin.
  return fmt::format(
      "version: 1\n"
      "workers: {}\n"
      "listeners:\n"
      "  - name: demo\n"
      "    bind: 127.0.0.1:{}\n"
      "    protocol: http\n"
      "  - name: tcp\n"
      "    bind: 127.0.0.1:{}\n"
      "    protocol: tcp\n"
      "    upstream: echo\n"
      "  - name: demo_tls\n"
      "    bind: 127.0.0.1:{}\n"
      "    protocol: http\n"
      "    tls: {{ certificates: [ {{ cert: {}, key: {} }} ], alpn: [ h2, http/1.1 ] }}\n"
      "  - name: tcp_tls\n"
      "    bind: 127.0.0.1:{}\n"
      "    protocol: tcp\n"
      "    upstream: echo_tls\n"
      "    tls: {{ certificates: [ {{ cert: {}, key: {} }} ] }}\n"
      "{}{}"
      "routes:\n"
      "{}{}"
      "  - {{ match: {{ path_prefix: {} }}, upstream: origin_http2 }}\n"
      "  - upstream: origin\n"
      "upstreams:\n"
      "{}{}"
      "  - name: origin\n"
      "    servers:\n"
      "      - address: 127.0.0.1:{}\n"
      "  - name: origin_http2\n"
      "    protocol: http2\n"
      "    servers:\n"
      "      - address: 127.0.0.1:{}\n"
      "  - name: echo\n"
      "    servers:\n"
      "      - address: 127.0.0.1:{}\n"
      "  - name: echo_tls\n"
      "    servers:\n"
      "      - address: 127.0.0.1:{}\n"
      "    tls: {{ ca: {} }}\n"
      "timeouts:\n"
      "  head: 60m\n"
      "  body: 60m\n"
      "  send: 60m\n"
      "  idle: 60m\n"
      "  response: 60m\n"
      "{}"
      "{}"
      "handoff:\n"
      "  socket: {}\n"
      "  finish_timeout: 300ms\n"
      "  survive: all\n"
      "admin:\n"
      "  bind: unix:{}\n"
      "pid_file: {}\n",
      proxy_threads, listen.http.port(), listen.tcp.port(), listen.tls_http.port(), files.certificate, files.key,
      listen.tls_tcp.port(), files.certificate, files.key, page ? page_listener(*page) : "", one_more,
      page ? page_routes(*page) : "", faulty ? faulty_route() : "", clients::grpc_prefix,
      page ? page_upstream(*page) : "", faulty ? faulty_upstream(*faulty) : "", origin.http.port(), origin.http.port(),
      origin.tcp.port(), origin.tls_tcp.port(), files.certificate, page ? page_timeouts : "",
      faulty ? faulty_pages(*faulty) : "", handoff_socket, admin_socket, pid_file);
}

}  // namespace baton::demo
