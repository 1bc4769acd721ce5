#include "config/client_schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "config/names.hpp"
#include "config/text.hpp"

namespace baton::config {
namespace {

constexpr std::string_view unix_word = "unix";

constexpr Name<bool ForwardedFields::*> forwarded_names[] = {{"x_forwarded", &ForwardedFields::x_forwarded},
                                                             {"forwarded", &ForwardedFields::forwarded},
                                                             {"x_real_ip", &ForwardedFields::x_real_ip}};

// Fields that frame, route or describe a message; an id in one of them would break it.
constexpr std::string_view not_for_ids[] = {
    "authorization", "connection",  "content-length",    "content-type", "cookie",           "date",       "expect",
    "forwarded",     "host",        "keep-alive",        "location",     "proxy-connection", "set-cookie", "te",
    "trailer",       "traceparent", "transfer-encoding", "upgrade",      "x-real-ip",
};

Parsed<std::string> parse_id_header(std::string_view text) {
  constexpr std::size_t bytes_max = 64;
  const auto is_of_names = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-'; };
  if (text.empty() || text.size() > bytes_max || !std::ranges::all_of(text, is_of_names)) {
    return std::unexpected(
        fmt::format("{} is not a field name of 1 to {} letters, digits and hyphens, such as "
                    "`X-Request-Id`",
                    quote(text), bytes_max));
  }
  std::string lowercase(text);
  std::ranges::transform(lowercase, lowercase.begin(), [](unsigned char c) { return std::tolower(c); });
  const bool is_taken =
      lowercase.starts_with("x-forwarded-") || std::ranges::find(not_for_ids, lowercase) != std::end(not_for_ids);
  if (is_taken) {
    return std::unexpected(quote(text) + " has a meaning of its own; write another name, such as `X-Request-Id`");
  }
  return std::string(text);
}

void read_header(Reader& reader, const Node& node, RequestId& id) {
  if (const auto text = reader.text(node)) reader.assign(id.header, node, parse_id_header(*text));
}

constexpr Key<RequestId> request_id_keys[] = {{"header", read_header},
                                              {"trust", read_choice<&RequestId::trust, flags>}};
std::string request_id_of(std::string_view text) {
  return fmt::format("{{ header: {} }}", parse_id_header(text) ? text : "X-Request-Id");
}
constexpr Section<RequestId> request_id_section{"request_id", "in `request_id`", request_id_keys, request_id_of};

}  // namespace

void read_trusted_proxies(Reader& reader, const Node& node, TrustedProxies& proxies) {
  for (const Node& item : reader.one_or_list(node)) {
    const auto text = reader.text(item);
    if (!text) continue;
    if (*text == unix_word) {
      proxies.unix_sockets = true;
    } else if (text->starts_with(unix_word)) {
      reader.refuse(item, quote(*text) + ": write `unix` to trust every client of a Unix socket");
    } else if (auto network = parse_network(*text)) {
      proxies.networks.push_back(*network);
    } else {
      reader.refuse(item, network.error());
    }
  }
}

void read_forwarded(Reader& reader, const Node& node, ForwardedFields& fields) {
  fields = {.x_forwarded = false, .forwarded = false, .x_real_ip = false};
  for (const Node& item : reader.one_or_list(node)) {
    if (const auto member = reader.choice(item, forwarded_names)) fields.*(*member) = true;
  }
}

void read_keepalive(Reader& reader, const Node& node, Milliseconds& keepalive) {
  constexpr std::uint64_t most_ms = 32'767ULL * 1000;  // TCP_KEEPIDLE, tcp(7)
  const auto text = reader.text(node);
  if (!text) return;
  const auto duration = parse_duration(*text, {.least = 0, .most = most_ms});
  if (duration && duration->count() % 1000 != 0) {
    return reader.refuse(node, quote(*text) + " is not a whole number of seconds");
  }
  reader.assign(keepalive, node, duration);
}

void read_request_id(Reader& reader, const Node& node, std::optional<RequestId>& id) {
  read_section(reader, node, request_id_section, id.emplace());
}

std::vector<std::string> texts_of(const TrustedProxies& proxies) {
  std::vector<std::string> texts;
  for (const Network& network : proxies.networks) texts.push_back(network.text());
  if (proxies.unix_sockets) texts.emplace_back(unix_word);
  return texts;
}

std::vector<std::string> texts_of(const ForwardedFields& fields) {
  std::vector<std::string> texts;
  for (const auto& name : forwarded_names) {
    if (fields.*name.value) texts.emplace_back(name.text);
  }
  return texts;
}

void add_client_keys(std::vector<KnownKey>& known) {
  add_keys(known, request_id_section);
}

}  // namespace baton::config
