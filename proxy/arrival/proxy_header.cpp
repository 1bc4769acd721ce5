#include "proxy/arrival/proxy_header.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>

namespace baton::arrival {

using state::Family;
using state::SocketAddress;

namespace {

constexpr std::string_view first_signature = "PROXY ";
constexpr std::string_view second_signature("\r\n\r\n\0\r\nQUIT\n", 12);

// Whether `received`, as far as it goes, is `signature`.
bool can_begin(std::string_view received, std::string_view signature) {
  const std::size_t bytes = std::min(received.size(), signature.size());
  return received.substr(0, bytes) == signature.substr(0, bytes);
}

// ── Version 1 ─────────────────────────────────────────────────────────────────────────────────────────────────────

// Up to the next blank, of which there is exactly one between two words.
std::string_view take_word(std::string_view& line) {
  const std::size_t blank = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, blank);
  line.remove_prefix(std::min(blank + 1, line.size()));
  return word;
}

bool parse_address(std::string_view text, Family family, SocketAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return false;
  std::ranges::copy(text, terminated.begin());
  address.family = family;
  return ::inet_pton(family == Family::ipv4 ? AF_INET : AF_INET6, terminated.data(), address.ip.data()) == 1;
}

bool parse_port(std::string_view text, std::uint16_t& port) {
  if (text.size() > 1 && text.front() == '0') return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size();
}

ProxyHeader read_first(std::string_view received) {
  constexpr std::size_t line_bytes_max = 107;
  const std::size_t end = received.substr(0, line_bytes_max).find('\n');
  if (end == std::string_view::npos) {
    return {.found = received.size() < line_bytes_max ? ProxyHeader::Found::incomplete : ProxyHeader::Found::malformed};
  }
  const ProxyHeader malformed{.found = ProxyHeader::Found::malformed};
  if (received[end - 1] != '\r') return malformed;
  std::string_view line = received.substr(first_signature.size(), end - 1 - first_signature.size());
  ProxyHeader header{.found = ProxyHeader::Found::whole, .bytes = end + 1};
  const std::string_view protocol = take_word(line);
  if (protocol == "UNKNOWN") return header;  // whatever follows
  if (protocol != "TCP4" && protocol != "TCP6") return malformed;
  const Family family = protocol == "TCP4" ? Family::ipv4 : Family::ipv6;
  const std::size_t blanks = static_cast<std::size_t>(std::ranges::count(line, ' '));
  const bool is_good =
      parse_address(take_word(line), family, header.client) && parse_address(take_word(line), family, header.server) &&
      parse_port(take_word(line), header.client.port) && parse_port(take_word(line), header.server.port);
  if (!is_good || blanks != 3) return malformed;
  header.names_client = true;
  return header;
}

// ── Version 2 ─────────────────────────────────────────────────────────────────────────────────────────────────────

std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

std::uint16_t number_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

constexpr std::uint8_t checksum_type = 0x03;
constexpr std::uint8_t padding_type = 0x04;
constexpr std::size_t checksum_bytes = 4;

// CRC-32C (RFC 3720 §12.1) with the checksum itself taken as zeros.
std::uint32_t checksum_of(std::string_view header, std::size_t checksum_at) {
  std::uint32_t crc = ~0U;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const bool is_itself = i >= checksum_at && i < checksum_at + checksum_bytes;
    crc ^= is_itself ? 0U : byte_at(header, i);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0x82F63B78U & (0U - (crc & 1U)));
  }
  return ~crc;
}

// Types, lengths and values fill the rest of the header from `at`, and a checksum is right.
bool are_sound_fields(std::string_view header, std::size_t at) {
  while (at != header.size()) {
    if (header.size() - at < 3) return false;
    const std::size_t bytes = number_at(header, at + 1);
    const std::size_t value = at + 3;
    if (bytes > header.size() - value) return false;
    if (byte_at(header, at) == checksum_type) {
      if (bytes != checksum_bytes) return false;
      const std::uint32_t said =
          static_cast<std::uint32_t>(number_at(header, value)) << 16 | number_at(header, value + 2);
      if (said != checksum_of(header, value)) return false;
    }
    at = value + bytes;
  }
  return true;
}

// Sound fields from `at`, without those that concern only this header.
std::string fields_to_keep(std::string_view header, std::size_t at) {
  std::string fields;
  while (at != header.size()) {
    const std::size_t bytes = 3u + number_at(header, at + 1);
    const std::uint8_t type = byte_at(header, at);
    if (type != checksum_type && type != padding_type) fields += header.substr(at, bytes);
    at += bytes;
  }
  return fields;
}

SocketAddress ip_address(std::string_view ip, std::uint16_t port) {
  SocketAddress address;
  address.family = ip.size() == 4 ? Family::ipv4 : Family::ipv6;
  std::memcpy(address.ip.data(), ip.data(), ip.size());
  address.port = port;
  return address;
}

SocketAddress unix_address(std::string_view path) {
  SocketAddress address;
  address.family = Family::unix_path;
  address.path = path.substr(0, path.find('\0'));
  return address;
}

ProxyHeader read_second(std::string_view received) {
  constexpr std::size_t fixed_bytes = 16;
  const ProxyHeader malformed{.found = ProxyHeader::Found::malformed};
  if (received.size() > second_signature.size() && byte_at(received, 12) != 0x20 && byte_at(received, 12) != 0x21) {
    return malformed;
  }
  if (received.size() < fixed_bytes) return {};
  const std::size_t bytes = fixed_bytes + number_at(received, 14);
  if (bytes > proxy_header_bytes_max) return malformed;
  if (received.size() < bytes) return {};
  const std::string_view whole = received.substr(0, bytes);
  ProxyHeader header{.found = ProxyHeader::Found::whole, .bytes = bytes};
  if (byte_at(received, 12) == 0x20) return header;  // LOCAL: a health check; the rest means nothing
  const unsigned family = byte_at(received, 13) >> 4;
  const unsigned transport = byte_at(received, 13) & 15;
  if (family > 3 || transport > 2) return malformed;
  if (family == 0 || transport == 0) return header;  // UNSPEC
  const std::size_t address_bytes = family == 1 ? 4 : family == 2 ? 16 : 108;
  const std::size_t ports_bytes = family == 3 ? 0 : 4;
  const std::size_t fields_at = fixed_bytes + 2 * address_bytes + ports_bytes;
  if (bytes < fields_at || !are_sound_fields(whole, fields_at)) return malformed;
  const std::string_view source = whole.substr(fixed_bytes, address_bytes);
  const std::string_view destination = whole.substr(fixed_bytes + address_bytes, address_bytes);
  if (family == 3) {
    header.client = unix_address(source);
    header.server = unix_address(destination);
  } else {
    header.client = ip_address(source, number_at(whole, fields_at - 4));
    header.server = ip_address(destination, number_at(whole, fields_at - 2));
  }
  header.names_client = true;
  header.fields = fields_to_keep(whole, fields_at);
  return header;
}

}  // namespace

ProxyHeader find_proxy_header(std::string_view received) {
  if (can_begin(received, first_signature))
    return received.size() < first_signature.size() ? ProxyHeader{} : read_first(received);
  if (can_begin(received, second_signature)) return read_second(received);
  return {.found = ProxyHeader::Found::none};
}

// ── Writing ───────────────────────────────────────────────────────────────────────────────────────────────────────

namespace {

bool is_ip(const SocketAddress& address) {
  return address.family == Family::ipv4 || address.family == Family::ipv6;
}

// Both ends must be of one family, so an IPv4 address beside an IPv6 one becomes ::ffff:a.b.c.d (RFC 4291 §2.5.5.2).
SocketAddress as_v6(const SocketAddress& address) {
  if (address.family == Family::ipv6) return address;
  SocketAddress mapped;
  mapped.family = Family::ipv6;
  mapped.port = address.port;
  mapped.ip[10] = mapped.ip[11] = 0xff;
  std::copy_n(address.ip.begin(), 4, mapped.ip.begin() + 12);
  return mapped;
}

std::string ip_text(const SocketAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(address.family == Family::ipv4 ? AF_INET : AF_INET6, address.ip.data(), text, sizeof text);
  return text;
}

void append_number(std::string& text, std::size_t value) {
  text += static_cast<char>(value >> 8);
  text += static_cast<char>(value);
}

std::string make_second(const SocketAddress* client, const SocketAddress* server, std::string_view fields) {
  std::string header(second_signature);
  // Without a client: LOCAL, as of a probe; some servers refuse PROXY without addresses.
  if (client == nullptr) return header + '\x20' + std::string(3, '\0');
  header += '\x21';
  const std::size_t bytes = client->family == Family::ipv4 ? 4 : 16;
  header += bytes == 4 ? '\x11' : '\x21';
  append_number(header, 2 * bytes + 4 + fields.size());
  for (const SocketAddress* one : {client, server}) header.append(reinterpret_cast<const char*>(one->ip.data()), bytes);
  append_number(header, client->port);
  append_number(header, server->port);
  return header.append(fields);
}

}  // namespace

std::string make_proxy_header(ProxyVersion version, const SocketAddress& client, const SocketAddress& server,
                              std::string_view fields) {
  const bool names_client = is_ip(client) && is_ip(server);
  if (!names_client) return version == ProxyVersion::v1 ? "PROXY UNKNOWN\r\n" : make_second(nullptr, nullptr, {});
  const bool is_mixed = client.family != server.family;
  const SocketAddress from = is_mixed ? as_v6(client) : client;
  const SocketAddress to = is_mixed ? as_v6(server) : server;
  if (version == ProxyVersion::v2) return make_second(&from, &to, fields);
  return std::string(first_signature) + (from.family == Family::ipv4 ? "TCP4 " : "TCP6 ") + ip_text(from) + " " +
         ip_text(to) + " " + std::to_string(from.port) + " " + std::to_string(to.port) + "\r\n";
}

}  // namespace baton::arrival
