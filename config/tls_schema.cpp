#include "config/tls_schema.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/address.hpp"
#include "config/names.hpp"
#include "config/suggest.hpp"
#include "config/text.hpp"
#include "config/tls_names.hpp"

namespace baton::config {
namespace {

// Certificates of both sides.

constexpr Key<Certificate> certificate_keys[] = {
    {"cert", read_file<&Certificate::cert>, true},
    {"key", read_file<&Certificate::key>, true},
};
constexpr Section<Certificate> upstream_certificate_section{"upstreams.tls.certificate", "in `certificate`",
                                                            certificate_keys};

// Listeners.

// What an http listener speaks, in the default order of preference: RFC 9113 §3.2, RFC 7301 §6.
constexpr std::string_view http_protocols[] = {"h2", "http/1.1", "http/1.0"};
constexpr std::size_t alpn_bytes_max = 255;     // RFC 7301 §3.1

struct ListenerTlsDraft : ListenerTls {
  std::optional<Protocol> protocol;  // of the listener
};

// An entry of `certificates`: a pair, or a folder.
struct CertificatesDraft {
  Certificate pair;
  std::optional<File> folder;
};

void read_folder(Reader& reader, const Node& node, CertificatesDraft& draft) {
  const auto text = reader.text(node);
  if (!text) return;
  std::string path = *text;
  while (path.ends_with('/')) path.pop_back();
  if (!path.starts_with('/')) {
    return reader.refuse(node, quote(*text) + " must be the absolute path of a folder, or a pattern of such paths");
  }
  draft.folder = File{std::move(path), reader.position(node)};
}

template <auto member>
void read_file_of_pair(Reader& reader, const Node& node, CertificatesDraft& draft) {
  if (auto file = reader.file(node)) draft.pair.*member = *std::move(file);
}

constexpr Key<CertificatesDraft> listener_certificate_keys[] = {
    {"cert", read_file_of_pair<&Certificate::cert>},
    {"key", read_file_of_pair<&Certificate::key>},
    {"folder", read_folder},
};
std::string folder_meant_by(std::string_view text) {
  return text.starts_with('/') ? fmt::format("{{ folder: {} }}", text) : "";
}

constexpr Section<CertificatesDraft> listener_certificate_section{"listeners.tls.certificates", "on a certificate",
                                                                  listener_certificate_keys, folder_meant_by};

// A misspelt key has been reported.
void check_keys_of_entry(Reader& reader, const Node& entry, const CertificatesDraft& draft) {
  const bool has_cert = entry.find("cert") != nullptr || !draft.pair.cert.path.empty();
  const bool has_key = entry.find("key") != nullptr || !draft.pair.key.path.empty();
  if (entry.find("folder") != nullptr || draft.folder) {
    if (has_cert || has_key) {
      reader.report(reader.position(entry), "`folder` stands alone; write `cert` and `key` in an entry of their own");
    }
    return;
  }
  if (!has_cert) reader.refuse_missing_key(entry, listener_certificate_section.place, "cert");
  if (!has_key) reader.refuse_missing_key(entry, listener_certificate_section.place, "key");
}

void read_certificates(Reader& reader, const Node& node, ListenerTlsDraft& draft) {
  const auto entries = reader.list(node, "`- { cert: /etc/baton/tls/site.pem, key: /etc/baton/tls/site.key }`");
  if (!entries) return;
  for (const Node& entry : *entries) {
    CertificatesDraft one;
    read_section(reader, entry, listener_certificate_section, one);
    if (as_map(entry) != nullptr) check_keys_of_entry(reader, entry, one);
    if (one.folder) {
      draft.folders.push_back(*std::move(one.folder));
    } else {
      draft.certificates.push_back(std::move(one.pair));
    }
  }
}

// An http listener speaks HTTP/2 and HTTP/1.1, and HTTP/1.0 to clients that ask for no more. The protocol inside a tcp
// listener is up to both ends.
void check_alpn(Reader& reader, const Node& node, const std::string& name, std::optional<Protocol> protocol) {
  if (name.empty() || name.size() > alpn_bytes_max) {
    reader.refuse(node, fmt::format("{} must have 1 to {} bytes", quote(name), alpn_bytes_max));
  } else if (protocol == Protocol::http && std::ranges::find(http_protocols, name) == std::end(http_protocols)) {
    reader.refuse(node, fmt::format("{} is not a protocol of http listeners; write {}, {} or {}", quote(name),
                                    quote(http_protocols[0]), quote(http_protocols[1]), quote(http_protocols[2])));
  }
}

void read_alpn(Reader& reader, const Node& node, ListenerTlsDraft& draft) {
  draft.alpn.clear();
  for (const Node& item : reader.one_or_list(node)) {
    auto name = reader.text(item);
    if (!name) continue;
    check_alpn(reader, item, *name, draft.protocol);
    draft.alpn.push_back(*std::move(name));
  }
}

// What may be used in handshakes.

struct Choice {
  std::span<const TlsName> names;
  std::string_view what;
  // Names of the other version, and the key that they belong to.
  std::span<const TlsName> elsewhere = {};
  std::string_view other_key = {};
};

const TlsName* find_name(std::span<const TlsName> names, std::string_view text) {
  const auto is_it = [&](const TlsName& one) { return one.name == text || (one.other == text && !text.empty()); };
  const auto found = std::ranges::find_if(names, is_it);
  return found == names.end() ? nullptr : &*found;
}

std::string why_no_name(std::string_view text, const Choice& choice) {
  if (find_name(choice.elsewhere, text)) {
    return fmt::format("{} is of another version of TLS; write it in `{}`", quote(text), choice.other_key);
  }
  std::vector<std::string_view> names;
  std::string expected;
  for (const TlsName& one : choice.names) {
    if (!names.empty() && names.back() == one.name) continue;
    names.push_back(one.name);
    expected += fmt::format("{}{}", expected.empty() ? "" : ", ", one.name);
  }
  return fmt::format("{} is not a {} that Baton speaks{} (expected: {})", quote(text), choice.what,
                     did_you_mean(text, names), expected);
}

// One name, a list of them, or names with colons between them, as OpenSSL writes lists.
void read_tls_names(Reader& reader, const Node& node, std::vector<std::string>& chosen, const Choice& choice) {
  const auto items = reader.one_or_list(node);
  if (items.empty()) reader.refuse(node, fmt::format("the list is empty; leave it out for every {}", choice.what));
  for (const Node& item : items) {
    const auto text = reader.text(item);
    if (!text) continue;
    for (std::size_t begin = 0; begin <= text->size();) {
      const std::size_t end = std::min(text->find(':', begin), text->size());
      const std::string_view word = std::string_view(*text).substr(begin, end - begin);
      const TlsName* found = find_name(choice.names, word);
      if (word.empty()) {
        reader.refuse(item, text->empty() ? fmt::format("expected the name of a {}", choice.what)
                                          : fmt::format("{} has a colon without a name beside it", quote(*text)));
        break;
      }
      if (!found) {
        reader.refuse(item, why_no_name(word, choice));
      } else if (std::ranges::find(chosen, found->name) != chosen.end()) {
        reader.refuse(item, fmt::format("{} appears twice", quote(word)));
      } else {
        chosen.emplace_back(found->name);
      }
      begin = end + 1;
    }
  }
}

void read_ciphers(Reader& reader, const Node& node, ListenerTlsDraft& draft) {
  read_tls_names(reader, node, draft.ciphers,
                 {tls12_ciphers(), "cipher of TLS 1.2", tls13_ciphersuites(), "ciphersuites"});
}

void read_ciphersuites(Reader& reader, const Node& node, ListenerTlsDraft& draft) {
  read_tls_names(reader, node, draft.ciphersuites,
                 {tls13_ciphersuites(), "cipher suite of TLS 1.3", tls12_ciphers(), "ciphers"});
}

void read_curves(Reader& reader, const Node& node, ListenerTlsDraft& draft) {
  read_tls_names(reader, node, draft.curves, {tls_curves(), "curve"});
}

constexpr Key<ListenerTlsDraft> listener_tls_keys[] = {
    {"certificates", read_certificates, true},
    {"min_version", read_choice<&ListenerTls::min_version, tls_minimums>},
    {"max_version", read_choice<&ListenerTls::max_version, tls_minimums>},
    {"ciphers", read_ciphers},
    {"ciphersuites", read_ciphersuites},
    {"curves", read_curves},
    {"alpn", read_alpn},
    {"client_auth", read_choice<&ListenerTls::client_auth, client_auths>},
    {"client_ca", read_file<&ListenerTls::client_ca>},
    {"session_tickets", read_choice<&ListenerTls::session_tickets, flags>},
};
constexpr Section<ListenerTlsDraft> listener_tls_section{"listeners.tls", "in `tls` of a listener", listener_tls_keys};

// A CA that is never checked gives a false sense of security.
void check_client_ca(Reader& reader, const Node& node, const ListenerTls& tls) {
  const bool is_needed = tls.client_auth != ClientAuth::off;
  if (is_needed && !tls.client_ca) {
    reader.report(reader.position(*node.find("client_auth")),
                  fmt::format("`client_auth: {}` needs a `client_ca` to verify clients with",
                              name_of(tls.client_auth, client_auths)));
  } else if (!is_needed && tls.client_ca) {
    reader.report(tls.client_ca->where,
                  "`client_ca` has no effect while `client_auth` is off; set that to `optional` or `required`");
  }
}

// A list for a version that no client can get has no effect.
void check_versions(Reader& reader, const Node& node, const ListenerTls& tls) {
  const auto report = [&](std::string_view key, std::string message) {
    reader.report(reader.position(*node.find(key)), std::move(message));
  };
  if (tls.max_version < tls.min_version) {
    return report("max_version", "`max_version` is below `min_version`; no client could connect");
  }
  if (!tls.ciphers.empty() && tls.min_version == TlsMinimum::tls13) {
    report("ciphers", "`ciphers` are of TLS 1.2 and have no effect with `min_version: 1.3`; write `ciphersuites`");
  }
  if (!tls.ciphersuites.empty() && tls.max_version == TlsMinimum::tls12) {
    report("ciphersuites", "`ciphersuites` are of TLS 1.3 and have no effect with `max_version: 1.2`; write `ciphers`");
  }
}

// Upstreams.

void read_server_name(Reader& reader, const Node& node, UpstreamTls& tls) {
  if (const auto text = reader.text_unless_auto(node)) reader.assign(tls.server_name, node, parse_host_name(*text));
}

void read_certificate(Reader& reader, const Node& node, UpstreamTls& tls) {
  read_section(reader, node, upstream_certificate_section, tls.certificate.emplace());
}

constexpr Key<UpstreamTls> upstream_tls_keys[] = {
    {"verify", read_choice<&UpstreamTls::verify, flags>},
    {"ca", read_file_or_auto<&UpstreamTls::ca>},
    {"server_name", read_server_name},
    {"certificate", read_certificate},
    {"min_version", read_choice<&UpstreamTls::min_version, tls_minimums>},
};
constexpr Section<UpstreamTls> upstream_tls_section{"upstreams.tls", "in `tls` of an upstream", upstream_tls_keys};

// A certificate is verified for a host name, which a Unix path lacks.
void check_server_name(Reader& reader, const Node& node, const Upstream& upstream) {
  if (!upstream.tls->verify || !upstream.tls->server_name.empty()) return;
  const auto server =
      std::ranges::find_if(upstream.servers, [](const Server& one) { return !one.address.unix_path.empty(); });
  if (server == upstream.servers.end()) return;
  reader.refuse(node, fmt::format("{} has no host to verify a certificate for; write its `server_name`",
                                  quote(server->address.text())));
}

// An empty `tls:` is more likely an omission than a wish for all defaults.
bool is_map(Reader& reader, const Node& node, std::string_view example) {
  if (std::holds_alternative<Node::Map>(node.value)) return true;
  reader.refuse(node, fmt::format("expected keys with values, as in {}", example));
  return false;
}

}  // namespace

std::optional<ListenerTls> read_listener_tls(Reader& reader, const Node& node, std::optional<Protocol> protocol) {
  if (!is_map(reader, node, "`tls: { certificates: [ { cert: /PATH, key: /PATH } ] }`")) return std::nullopt;
  ListenerTlsDraft draft{{}, protocol};
  if (protocol == Protocol::http) draft.alpn.assign(std::begin(http_protocols), std::end(http_protocols));
  if (!read_section(reader, node, listener_tls_section, draft)) return std::nullopt;
  check_client_ca(reader, node, draft);
  check_versions(reader, node, draft);
  return ListenerTls(std::move(draft));
}

void read_upstream_tls(Reader& reader, const Node& node, Upstream& upstream) {
  if (!is_map(reader, node, "`tls: {}`, which is TLS with all its defaults")) return;
  if (read_section(reader, node, upstream_tls_section, upstream.tls.emplace())) {
    check_server_name(reader, node, upstream);
  }
}

void add_tls_keys(std::vector<KnownKey>& known) {
  add_keys(known, listener_tls_section);
  add_keys(known, listener_certificate_section);
  add_keys(known, upstream_tls_section);
  add_keys(known, upstream_certificate_section);
}

}  // namespace baton::config
