#include "demo/certificate.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cerrno>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace baton::demo {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;

namespace {

constexpr const char* name = "baton demo";
constexpr const char* host = "127.0.0.1";
constexpr long hour_s = 3600;

template <auto free>
struct Free {
  template <class Value>
  void operator()(Value* value) const {
    free(value);
  }
};
template <class Value, auto free>
using Owned = std::unique_ptr<Value, Free<free>>;
using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using X509Certificate = Owned<X509, X509_free>;
using Extension = Owned<X509_EXTENSION, X509_EXTENSION_free>;
using Memory = Owned<BIO, BIO_free_all>;

void demand(bool done) {
  if (!done) throw std::runtime_error("OpenSSL cannot make a certificate");
}

// `write` writes into a BIO.
template <class Write>
std::string pem(Write write) {
  const Memory memory(BIO_new(BIO_s_mem()));
  demand(memory && write(memory.get()) == 1);
  char* bytes = nullptr;
  const long count = BIO_get_mem_data(memory.get(), &bytes);
  return {bytes, static_cast<std::size_t>(count)};
}

void write_file(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const bool written = file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  if (file >= 0) ::close(file);
  if (!written) throw std::system_error(error, std::generic_category(), "cannot write " + path);
}

}  // namespace

Certificate make_certificate() {
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  const X509Certificate x509(X509_new());
  demand(key && x509);
  X509* const made = x509.get();
  demand(X509_set_version(made, X509_VERSION_3) == 1);
  demand(ASN1_INTEGER_set(X509_get_serialNumber(made), 1) == 1);
  demand(X509_gmtime_adj(X509_getm_notBefore(made), -hour_s) != nullptr);
  demand(X509_gmtime_adj(X509_getm_notAfter(made), 24 * hour_s) != nullptr);
  demand(X509_set_pubkey(made, key.get()) == 1);
  X509_NAME* const subject = X509_get_subject_name(made);
  const auto* text = reinterpret_cast<const unsigned char*>(name);
  demand(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1);
  demand(X509_set_issuer_name(made, subject) == 1);
  const std::string address = std::string("IP:") + host;
  const Extension host_name(X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, address.c_str()));
  demand(host_name && X509_add_ext(made, host_name.get(), -1) == 1);
  demand(X509_sign(made, key.get(), EVP_sha256()) != 0);

  const auto write_key = [&](BIO* to) {
    return PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  };
  return {.certificate = pem([&](BIO* to) { return PEM_write_bio_X509(to, made); }), .key = pem(write_key)};
}

CertificateFiles store(const Certificate& certificate, const TempDir& dir) {
  CertificateFiles files{.certificate = dir.file("tls.pem"), .key = dir.file("tls.key")};
  write_file(files.certificate, certificate.certificate);
  write_file(files.key, certificate.key);
  return files;
}

TlsContext server_context(const Certificate& certificate) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  context->use_certificate(asio::buffer(certificate.certificate), ssl::context::pem);
  context->use_private_key(asio::buffer(certificate.key), ssl::context::pem);
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
  demand(X509_VERIFY_PARAM_set1_ip_asc(SSL_CTX_get0_param(native), host) == 1);
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
