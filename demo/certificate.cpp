#include "demo/certificate.hpp"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "certificates/certificates.hpp"

namespace baton::demo {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;

namespace {

constexpr const char* certificate_name = "baton demo";
constexpr long hour_s = 3600;

void write_file(const std::string& path, const std::string& text, mode_t mode) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  const bool written = file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  if (file >= 0) ::close(file);
  if (!written) throw std::system_error(error, std::generic_category(), "cannot write " + path);
}

int choose_h2(SSL*, const unsigned char** chosen, unsigned char* bytes, const unsigned char* offered,
              unsigned offered_bytes, void*) {
  static constexpr unsigned char h2[] = {2, 'h', '2'};
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, bytes, h2, sizeof h2, offered, offered_bytes) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Certificate make_certificate(const std::string& host) {
  const certificates::Issued made = certificates::issue(
      {.common_name = certificate_name, .names = certificates::alternative_names({host}), .until_s = 24 * hour_s});
  return {.certificate = made.certificate_pem(), .key = made.key_pem(), .host = host};
}

CertificateFiles store(const Certificate& certificate, const std::string& stem) {
  CertificateFiles files{.certificate = stem + ".pem", .key = stem + ".key"};
  write_file(files.key, certificate.key, 0600);
  write_file(files.certificate, certificate.certificate, 0644);
  return files;
}

TlsContext server_context(const Certificate& certificate) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  context->use_certificate(asio::buffer(certificate.certificate), ssl::context::pem);
  context->use_private_key(asio::buffer(certificate.key), ssl::context::pem);
  SSL_CTX_set_alpn_select_cb(context->native_handle(), &choose_h2, nullptr);
  return context;
}

TlsContext client_context(const Certificate& certificate, Transport transport) {
  if (transport == Transport::plain) return nullptr;
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  SSL_CTX* const native = context->native_handle();
  const int version = transport == Transport::tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  SSL_CTX_set_min_proto_version(native, version);
  SSL_CTX_set_max_proto_version(native, version);
  context->set_verify_mode(ssl::verify_peer);
  context->add_certificate_authority(asio::buffer(certificate.certificate));
  X509_VERIFY_PARAM* const wanted = SSL_CTX_get0_param(native);
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, certificate.host.c_str()) != 1 &&
      X509_VERIFY_PARAM_set1_host(wanted, certificate.host.c_str(), 0) != 1) {
    throw std::runtime_error("OpenSSL cannot verify the name " + certificate.host);
  }
  return context;
}

EntrancesByTransport make_entrances(const Endpoints& endpoints, const Certificate& certificate) {
  EntrancesByTransport made;
  for (const Transport transport : all_transports) {
    const bool plain = transport == Transport::plain;
    const TlsContext tls = client_context(certificate, transport);
    made[static_cast<std::size_t>(transport)] = {
        .http = {plain ? endpoints.http : endpoints.tls_http, tls},
        .tcp = {plain ? endpoints.tcp : endpoints.tls_tcp, tls},
    };
  }
  return made;
}

}  // namespace baton::demo
