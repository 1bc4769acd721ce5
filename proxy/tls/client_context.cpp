#include "proxy/tls/client_context.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/x509v3.h>

#include <new>
#include <stdexcept>

#include "proxy/tls/files.hpp"
#include "proxy/tls/server_context.hpp"

namespace baton::tls {

namespace {

bool is_ip_address(const std::string& host) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, host.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

std::string digest_of_terms(const config::UpstreamTls& tls) {
  std::string terms = fmt::format("verify={}\nname={}\nmin={}\n", tls.verify, tls.server_name,
                                  static_cast<int>(tls.min_version));
  if (tls.ca) terms += read_file(*tls.ca).view();
  if (tls.certificate) terms += read_file(tls.certificate->cert).view();      // it contains the key's public half
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int bytes = 0;
  EVP_Digest(terms.data(), terms.size(), digest, &bytes, EVP_sha256(), nullptr);
  std::string text;
  for (unsigned int i = 0; i < 16; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace

ClientContext::ClientContext(const config::UpstreamTls& tls)
    : context_(make_context(TLS_client_method(), tls.min_version)),
      verify_(tls.verify),
      server_name_(tls.server_name),
      terms_(digest_of_terms(tls)) {
  SSL_CTX* const ctx = context_.get();
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  if (verify_) {
    const int loaded =
        tls.ca ? SSL_CTX_load_verify_file(ctx, tls.ca->path.c_str()) : SSL_CTX_set_default_verify_paths(ctx);
    if (loaded != 1) {
      refuse(tls.ca.value_or(config::File{"the system's certificates", {}}), "no certificates in PEM: " + last_error());
    }
  }
  if (tls.certificate) {
    const Identity identity = load_identity(*tls.certificate);
    if (SSL_CTX_use_cert_and_key(ctx, identity.certificate.get(), identity.key.get(), identity.chain.get(), 1) != 1) {
      throw std::runtime_error(fmt::format("{}: {}", tls.certificate->cert.path, last_error()));
    }
  }
}

SslPtr ClientContext::make(const std::string& host) const {
  SslPtr ssl(SSL_new(context_.get()));
  if (!ssl) throw std::bad_alloc();
  // The zone of an IPv6 address (RFC 4007 §11) is local to us and appears in no certificate.
  const std::string name = server_name_.empty() ? host.substr(0, host.find('%')) : server_name_;
  const bool is_name = !name.empty() && !is_ip_address(name);
  if (is_name) {
    SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(name.c_str()));
  }
  if (!verify_) return ssl;
  SSL_set_verify(ssl.get(), SSL_VERIFY_PEER, nullptr);
  X509_VERIFY_PARAM* const expected = SSL_get0_param(ssl.get());
  X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const int set = is_name ? X509_VERIFY_PARAM_set1_host(expected, name.c_str(), name.size())
                          : X509_VERIFY_PARAM_set1_ip_asc(expected, name.c_str());
  if (set != 1) ssl.reset();                  // without a name to verify, any certificate would pass
  return ssl;
}

void ClientContext::offer(SSL& ssl, std::initializer_list<std::string_view> protocols) {
  std::string list;
  for (const std::string_view one : protocols) {
    list += static_cast<char>(one.size());
    list += one;
  }
  const auto* const bytes = reinterpret_cast<const unsigned char*>(list.data());
  if (SSL_set_alpn_protos(&ssl, bytes, static_cast<unsigned>(list.size())) != 0) throw std::bad_alloc();
}

}  // namespace baton::tls
