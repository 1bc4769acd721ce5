#include "proxy/access_log/entry.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/access_log/local_time.hpp"
#include "proxy/state/captured.hpp"

namespace baton::access_log {

const state::AccessRecord Entry::no_record;

using config::Placeholder;
using state::Ending;

namespace {

void append_number(std::string& out, std::uint64_t number) {
  const fmt::format_int text(number);
  out.append(text.data(), text.size());
}

std::string_view method_in(std::string_view request_line) {
  return request_line.substr(0, std::min(request_line.find(' '), request_line.size()));
}

// Empty: the line is malformed.
std::string_view protocol_in(std::string_view request_line) {
  const std::string_view last = request_line.substr(request_line.rfind(' ') + 1);
  return last.starts_with("HTTP/") || last == "TCP" ? last : std::string_view();
}

constexpr unsigned client_closed_request = 499;

// Before it had a server.
unsigned status_of_tunnel(Ending ending) {
  switch (ending) {
    case Ending::connect:
      return 502;
    case Ending::connect_slow:
      return 504;
    case Ending::no_server:
    case Ending::queue:
      return 503;
    case Ending::client_gone:
      return client_closed_request;
    default:
      return 0;
  }
}

}  // namespace

unsigned Entry::status_without_response() const {
  if (is_tunnel()) return exchange_.upstream ? 200 : status_of_tunnel(ending());
  return ending() == Ending::client_gone ? client_closed_request : 0;
}

bool Entry::is_cut() const {
  const bool has_begun = exchange_.status != 0 && !is_tunnel();
  return has_begun && !is_whole();
}

const state::SocketAddress& Entry::client() const {
  return state::client_of(exchange_, connection_.client_address);
}

// In origin-form.
std::string_view Entry::target() const {
  std::string_view target = record_.request_line.view();
  target.remove_prefix(std::min(method_in(target).size() + 1, target.size()));
  target = target.substr(0, std::min(target.rfind(' '), target.size()));
  if (target.starts_with('/') || target.find("://") == std::string_view::npos) return target;
  target.remove_prefix(target.find("://") + 3);
  const std::size_t path = std::min(target.find_first_of("/?"), target.size());
  return target.substr(path);
}

void Entry::append_since_start(std::int64_t then_ms, std::string& out) const {
  if (then_ms != 0)
    append_number(out, static_cast<std::uint64_t>(std::max<std::int64_t>(then_ms - exchange_.started_ms, 0)));
}

void Entry::append(const config::Template::Part& part, std::string& out) const {
  const std::string_view line = record_.request_line.view();
  const auto mark = [&] { return std::min(target().find('?'), target().size()); };
  switch (part.placeholder) {
    using enum Placeholder;
    case none:
      return;
    case client:
      out += this->client().host_text();
      return;
    case scheme:
    case host:
    case port:
    case header:
      out += state::captured(record_.fields.view(), config::Template::name_of(part));
      return;
    case method:
      out += method_in(line);
      return;
    case uri:
      out += target();
      return;
    case path:
      out += target().substr(0, mark());
      return;
    case query:
      out += target().substr(std::min(mark() + 1, target().size()));
      return;
    case request_id:
      if (exchange_.extras) out += exchange_.extras->request_id.view();
      return;
    case listener:
      out += connection_.listener.view();
      return;
    case route:
      out += exchange_.route.view();
      return;
    case upstream:
      out += record_.upstream_name.view();
      return;
    case server:
      out += record_.upstream.view();
      return;
    case tls_version:
      if (connection_.client.tls) out += connection_.client.tls->version == 0x0304 ? "1.3" : "1.2";
      return;
    case tls_subject:
      if (connection_.client.tls) out += connection_.client.tls->facts.client_subject.view();
      return;
    case time:
      return append_iso_time(out, unix_ms());
    case time_local:
      out += local_second(unix_ms() / 1000).common;
      return;
    case request:
      out += line;
      return;
    case status:
      append_number(out, this->status());
      return;
    case bytes_in:
      append_number(out, this->bytes_in());
      return;
    case bytes_out:
      append_number(out, this->bytes_out());
      return;
    case duration_ms:
      append_number(out, static_cast<std::uint64_t>(this->duration_ms()));
      return;
    case queue_ms:
      append_number(out, static_cast<std::uint64_t>(std::max<std::int64_t>(this->queue_ms(), 0)));
      return;
    case connect_ms:
      return append_since_start(record_.connected_ms, out);
    case first_byte_ms:
      return append_since_start(record_.answered_ms, out);
    case retries:
      append_number(out, record_.retries);
      return;
    case generation:
      append_number(out, generation_);
      return;
    case protocol:
      out += protocol_in(line);
      return;
    case user:
      out += record_.user.view();
      return;
    case ended:
      out += state::word_of(ending());
      return;
  }
}

bool is_number(Placeholder placeholder) {
  switch (placeholder) {
    using enum Placeholder;
    case status:
    case bytes_in:
    case bytes_out:
    case duration_ms:
    case queue_ms:
    case connect_ms:
    case first_byte_ms:
    case retries:
    case generation:
      return true;
    default:
      return false;
  }
}

}  // namespace baton::access_log
