#include "proxy/tls/server_context.hpp"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <stdexcept>
#include <tuple>

#include "proxy/tls/certificate_folders.hpp"
#include "proxy/tls/files.hpp"
#include "proxy/tls/handshake.hpp"

namespace baton::tls {

namespace {

BioPtr over(const handoff::SecretBytes& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// A key with a passphrase is refused: there is no one to ask for it.
int no_passphrase(char*, int, int, void*) { return -1; }

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return result;
}

std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  auto* alternative =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  const std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>> owner(alternative);
  for (int i = 0; i < sk_GENERAL_NAME_num(alternative); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternative, i);
    if (name->type != GEN_DNS) continue;
    const auto* data = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
    names.push_back(lower({data, static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))}));
  }
  if (!names.empty()) return names;
  char common[256];
  const int bytes =
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, common, sizeof common);
  if (bytes > 0) names.push_back(lower({common, static_cast<std::size_t>(bytes)}));
  return names;
}

std::int64_t seconds_of(const ASN1_TIME* time) {
  std::tm utc{};
  return ASN1_TIME_to_tm(time, &utc) == 1 ? std::int64_t{::timegm(&utc)} : 0;
}

bool use(SSL* ssl, const Identity& identity) {
  return SSL_use_cert_and_key(ssl, identity.certificate.get(), identity.key.get(), identity.chain.get(), 1) == 1;
}

void add_unless_type_is_there(std::vector<const Identity*>& identities, const Identity& identity) {
  const int type = EVP_PKEY_get_base_id(identity.key.get());
  const bool is_there = std::any_of(identities.begin(), identities.end(), [&](const Identity* other) {
    return EVP_PKEY_get_base_id(other->key.get()) == type;
  });
  if (!is_there) identities.push_back(&identity);
}

// The subject is added to every request, and a truncated one would name someone else.
int refuse_long_subject(int is_good, X509_STORE_CTX* chain) {
  constexpr int bytes_max = 8 * 1024;
  if (is_good != 1 || X509_STORE_CTX_get_error_depth(chain) != 0) return is_good;
  const X509_NAME* const subject = X509_get_subject_name(X509_STORE_CTX_get_current_cert(chain));
  const int bytes = X509_NAME_print_ex(nullptr, subject, 0, XN_FLAG_RFC2253);
  if (bytes >= 0 && bytes <= bytes_max) return is_good;
  X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

}  // namespace

Identity load_identity(const config::Certificate& certificate) {
  ERR_clear_error();
  Identity identity{nullptr, nullptr, {sk_X509_new_null(), [](STACK_OF(X509)* chain) { sk_X509_pop_free(chain, X509_free); }}, {}};
  const handoff::SecretBytes chain = read_file(certificate.cert);
  const BioPtr chain_in = over(chain);
  identity.certificate.reset(PEM_read_bio_X509_AUX(chain_in.get(), nullptr, no_passphrase, nullptr));
  if (!identity.certificate) refuse(certificate.cert, "no certificate in PEM (it begins with -----BEGIN CERTIFICATE-----): " + last_error());
  while (X509* issuer = PEM_read_bio_X509(chain_in.get(), nullptr, no_passphrase, nullptr)) {
    sk_X509_push(identity.chain.get(), issuer);
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
    refuse(certificate.cert, "a certificate of the chain cannot be read: " + last_error());
  }
  ERR_clear_error();
  const handoff::SecretBytes key = read_file(certificate.key);
  identity.key.reset(PEM_read_bio_PrivateKey(over(key).get(), nullptr, no_passphrase, nullptr));
  if (!identity.key) refuse(certificate.key, "no private key in PEM, or one with a passphrase (store it without one): " + last_error());
  if (X509_check_private_key(identity.certificate.get(), identity.key.get()) != 1) {
    ERR_clear_error();
    refuse(certificate.key, "this key does not belong to the certificate in " + certificate.cert.path);
  }
  identity.names = names_of(identity.certificate.get());
  identity.files = certificate;
  identity.valid_from_s = seconds_of(X509_get0_notBefore(identity.certificate.get()));
  identity.valid_until_s = seconds_of(X509_get0_notAfter(identity.certificate.get()));
  return identity;
}

SslCtxPtr make_context(const SSL_METHOD* method, config::TlsMinimum minimum) {
  SslCtxPtr context(SSL_CTX_new(method));
  if (!context) throw std::runtime_error("OpenSSL: " + last_error());
  SSL_CTX* const ctx = context.get();
  SSL_CTX_set_min_proto_version(ctx, minimum == config::TlsMinimum::tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION);
  // Only what our record layer supports: AEAD with forward secrecy.
  if (SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
      SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") != 1) {
    throw std::runtime_error("OpenSSL lacks the cipher suites that Baton speaks: " + last_error());
  }
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_clear_options(ctx, SSL_OP_ENABLE_KTLS);
  SSL_CTX_set_read_ahead(ctx, 0);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  Handshake::listen_in(ctx);
  return context;
}

namespace {

// How notes begin.
constexpr std::string_view previous_stays = "certificates have changed but cannot be used, the previous ones stay";
constexpr std::string_view left_out = "a certificate cannot be used and is left out";

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ":") + name;
  return text;
}

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::ranges::sort(names);
  return names;
}

// The names have been checked, so only an OpenSSL without them fails.
void limit(SSL_CTX* ctx, const config::ListenerTls& tls) {
  const auto set = [](const std::vector<std::string>& names, auto by) {
    if (names.empty() || by(joined(names)) == 1) return;
    throw std::runtime_error("OpenSSL lacks one of " + joined(names) + ": " + last_error());
  };
  SSL_CTX_set_max_proto_version(ctx, tls.max_version == config::TlsMinimum::tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
  set(tls.ciphers, [ctx](const std::string& list) { return SSL_CTX_set_cipher_list(ctx, list.c_str()); });
  set(tls.ciphersuites, [ctx](const std::string& list) { return SSL_CTX_set_ciphersuites(ctx, list.c_str()); });
  // A macro that casts away const.
  set(tls.curves, [ctx](std::string list) { return SSL_CTX_set1_groups_list(ctx, list.data()); });
}

// Whether a cipher of TLS 1.2 can be used with the certificate; ECDSA stands for all keys but RSA's.
bool has_cipher(const config::ListenerTls& tls, const Identity& identity) {
  const bool is_rsa = EVP_PKEY_get_base_id(identity.key.get()) == EVP_PKEY_RSA;
  return tls.ciphers.empty() || std::ranges::any_of(tls.ciphers, [&](const std::string& cipher) {
           return cipher.starts_with(is_rsa ? "ECDHE-RSA-" : "ECDHE-ECDSA-");
         });
}

}  // namespace

ServerContext::ServerContext(const config::ListenerTls& tls, const std::string& listener, const TicketKeys& tickets,
                             const Reading& reading)
    : context_(make_context(TLS_server_method(), tls.min_version)), tickets_(tickets) {
  SSL_CTX* const ctx = context_.get();
  limit(ctx, tls);
  read_identities(tls, reading);
  check_ciphers(tls, reading);
  if (identities_.empty()) {
    notes_.push_back({.text = fmt::format("listener `{}` has no certificate yet: its TLS handshakes fail", listener)});
  }
  for (const auto& identity : identities_) {
    for (const std::string& name : identity->names) add_unless_type_is_there(by_name_[name], *identity);
  }
  if (!identities_.empty()) {
    const Identity& first = *identities_.front();
    default_.push_back(&first);
    if (!first.names.empty()) {
      for (const Identity* identity : by_name_[first.names.front()]) add_unless_type_is_there(default_, *identity);
    }
  }

  SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_cert_cb(ctx, &ServerContext::on_certificate, this);
  for (const std::string& protocol : tls.alpn) alpn_ += static_cast<char>(protocol.size()) + protocol;
  if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(ctx, &ServerContext::on_alpn, this);

  if (tls.session_tickets) {
    SSL_CTX_set_timeout(ctx, session_lifetime_s);
    SSL_CTX_set_app_data(ctx, this);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, &ServerContext::on_ticket);
  } else {
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ctx, 0);
  }
  if (tls.client_auth != config::ClientAuth::off) load_client_ca(tls, reading);
  set_session_context(tls, listener);
}

// Those named one by one come first, so that what appears in a folder takes no name from them.
void ServerContext::read_identities(const config::ListenerTls& tls, const Reading& reading) {
  for (const auto& certificate : tls.certificates) add(certificate, false, reading);
  if (tls.folders.empty()) return;
  const auto named = static_cast<std::ptrdiff_t>(identities_.size());
  const FoundPairs found = find_pairs(tls.folders);
  for (const auto& pair : found.pairs) add(pair, true, reading);
  for (const auto& [folder, error] : found.unreadable) leave_out_unreadable(folder, error, reading);
  for (const config::File& folder : found.without) {
    notes_.push_back({.text = complaint(folder, "there is no pair of certificate and key")});
  }
  // Those of an unreadable folder have their places, too.
  std::ranges::sort(identities_.begin() + named, identities_.end(), {}, [](const auto& one) {
    const config::File& file = one->files.cert;
    const std::filesystem::path path(file.path);  // compared folder by folder
    return std::tuple(file.where.line, file.where.column, path.parent_path(), path.filename());
  });
}

std::shared_ptr<const Identity> ServerContext::find(const config::Certificate& files) const {
  const auto found = std::ranges::find_if(identities_, [&](const auto& one) { return one->files == files; });
  return found == identities_.end() ? nullptr : *found;
}

void ServerContext::add(const config::Certificate& files, bool is_of_folder, const Reading& reading) {
  const std::shared_ptr<const Identity> before = reading.before ? reading.before->find(files) : nullptr;
  if (before && !reading.has_changed(files.cert.path) && !reading.has_changed(files.key.path)) {
    return identities_.push_back(before);
  }
  try {
    auto identity = std::make_shared<const Identity>(load_identity(files));
    // Fails now rather than in each handshake.
    const SslPtr trial(SSL_new(context_.get()));
    if (!trial || !use(trial.get(), *identity)) refuse(files.cert, "cannot be used: " + last_error());
    identities_.push_back(std::move(identity));
  } catch (const std::runtime_error& error) {
    if (!before && !(is_of_folder && reading.leaves_out_unusable)) throw;
    notes_.push_back({true, fmt::format("{}: {}", before ? previous_stays : left_out, error.what())});
    if (before) identities_.push_back(before);
  }
}

// What was found in it before stays: a folder is unreadable by mistake, not in order to be served no more.
void ServerContext::leave_out_unreadable(const config::File& folder, int error, const Reading& reading) {
  const std::string why = complaint(folder, std::strerror(error));
  if (!reading.leaves_out_unusable) throw std::runtime_error(why);
  bool has_some = false;
  for (const auto& one : reading.before ? reading.before->identities_ : identities_) {
    if (reading.before == nullptr || !one->files.cert.path.starts_with(folder.path + "/") || find(one->files)) continue;
    identities_.push_back(one);
    has_some = true;
  }
  notes_.push_back({true, fmt::format("{}: {}", has_some ? previous_stays : left_out, why)});
}

void ServerContext::check_ciphers(const config::ListenerTls& tls, const Reading& reading) {
  if (tls.max_version != config::TlsMinimum::tls12) return;
  // Another certificate may stand for the same names.
  const auto has_substitute = [&](const Identity& identity) {
    return std::ranges::any_of(identities_, [&](const auto& other) {
      return has_cipher(tls, *other) && std::ranges::all_of(identity.names, [&](const std::string& name) {
               return std::ranges::find(other->names, name) != other->names.end();
             });
    });
  };
  std::vector<std::shared_ptr<const Identity>> usable;
  for (const auto& identity : identities_) {
    if (has_cipher(tls, *identity) || has_substitute(*identity)) {
      usable.push_back(identity);
      continue;
    }
    const std::string why =
        complaint(identity->files.cert, "none of the listener's `ciphers` can be used with its key");
    if (!reading.leaves_out_unusable) throw std::runtime_error(why);
    const auto before = reading.before ? reading.before->find(identity->files) : nullptr;
    notes_.push_back({true, fmt::format("{}: {}", before ? previous_stays : left_out, why)});
    if (before) usable.push_back(before);
  }
  identities_ = std::move(usable);
}

void ServerContext::load_client_ca(const config::ListenerTls& tls, const Reading& reading) {
  const bool is_kept = reading.before && reading.before->client_ca_ && !reading.has_changed(tls.client_ca->path);
  client_ca_ =
      is_kept ? reading.before->client_ca_ : std::make_shared<const handoff::SecretBytes>(read_file(*tls.client_ca));
  const BioPtr in = over(*client_ca_);
  X509_STORE* const store = SSL_CTX_get_cert_store(context_.get());
  int count = 0;
  while (true) {
    const X509Ptr ca(PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr));
    if (!ca) break;
    X509_STORE_add_cert(store, ca.get());
    SSL_CTX_add_client_CA(context_.get(), ca.get());
    ++count;
  }
  const bool ended_well = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (count == 0 || !ended_well) refuse(*tls.client_ca, "no certificates in PEM: " + last_error());
  ERR_clear_error();
  const int required = tls.client_auth == config::ClientAuth::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | required, refuse_long_subject);
}

// A session is resumed only where a full handshake would have had the same result: on the same listener, with the same
// clients allowed. It survives an upgrade, since nothing in it belongs to a process.
void ServerContext::set_session_context(const config::ListenerTls& tls, const std::string& listener) {
  std::string terms = listener + '\n' + std::to_string(static_cast<int>(tls.client_auth)) + '\n';
  if (tls.client_auth != config::ClientAuth::off) terms += client_ca_->view();
  // A resumption would keep a cipher that is no longer allowed.
  if (!tls.ciphers.empty()) terms += "\nciphers " + joined(sorted(tls.ciphers));
  if (!tls.ciphersuites.empty()) terms += "\nciphersuites " + joined(sorted(tls.ciphersuites));
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int bytes = 0;
  EVP_Digest(terms.data(), terms.size(), digest, &bytes, EVP_sha256(), nullptr);
  SSL_CTX_set_session_id_context(context_.get(), digest, std::min<unsigned>(bytes, SSL_MAX_SID_CTX_LENGTH));
}

const std::vector<const Identity*>& ServerContext::choose(std::string_view server_name) const {
  const std::string name = lower(server_name);
  if (const auto exact = by_name_.find(name); exact != by_name_.end()) return exact->second;
  if (const auto dot = name.find('.'); dot != std::string::npos) {
    const auto wildcard = by_name_.find("*" + name.substr(dot));
    if (wildcard != by_name_.end()) return wildcard->second;
  }
  return default_;
}

bool ServerContext::covers(std::string_view server_name, std::string_view host) const {
  const std::vector<const Identity*>& chosen = choose(server_name);
  if (chosen.empty()) return false;
  X509* const certificate = chosen.front()->certificate.get();
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string name(host);
  return X509_check_host(certificate, name.data(), name.size(), 0, nullptr) == 1 ||
         X509_check_ip_asc(certificate, name.c_str(), 0) == 1;
}

int ServerContext::on_certificate(SSL* ssl, void* self) {
  // No exception may reach OpenSSL, which is C.
  try {
    return static_cast<const ServerContext*>(self)->show_certificates(ssl);
  } catch (const std::bad_alloc&) {
    return 0;
  }
}

int ServerContext::show_certificates(SSL* ssl) const {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  SSL_certs_clear(ssl);
  for (const Identity* identity : choose(name != nullptr ? name : "")) {
    if (!use(ssl, *identity)) return 0;
  }
  return 1;
}

int ServerContext::on_alpn(SSL*, const unsigned char** chosen, unsigned char* chosen_bytes,
                           const unsigned char* offered, unsigned int offered_bytes, void* self) {
  const std::string& ours = static_cast<const ServerContext*>(self)->alpn_;
  unsigned char* selected = nullptr;
  const int result = SSL_select_next_proto(&selected, chosen_bytes, reinterpret_cast<const unsigned char*>(ours.data()),
                                           static_cast<unsigned>(ours.size()), offered, offered_bytes);
  *chosen = selected;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;   // RFC 7301 §3.2
}

int ServerContext::on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                             int sealing) {
  const auto& context = *static_cast<const ServerContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  TicketKey key;
  bool renews = false;
  if (sealing != 0) {
    key = context.tickets_.current();
    std::copy(key.name.begin(), key.name.end(), name);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
    if (EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher.data(), iv) != 1) return -1;
  } else {
    const auto found = context.tickets_.find(name);
    if (!found) return 0;                     // a full handshake
    key = found->first;
    renews = !found->second || SSL_version(ssl) == TLS1_3_VERSION;   // TLS 1.3: each is used once (RFC 8446 §C.4)
    if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher.data(), iv) != 1) return -1;
  }
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac.data(), key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>("SHA256"), 0), OSSL_PARAM_END};
  if (EVP_MAC_CTX_set_params(mac, parameters) != 1) return -1;
  return renews ? 2 : 1;                      // 2: resumed, and the client gets a ticket under the current key
}

}  // namespace baton::tls
