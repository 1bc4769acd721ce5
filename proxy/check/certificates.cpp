#include "proxy/check/certificates.hpp"

#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <functional>
#include <optional>

#include "proxy/tls/certificate_folders.hpp"
#include "proxy/tls/client_context.hpp"
#include "proxy/tls/files.hpp"
#include "proxy/tls/openssl.hpp"
#include "proxy/tls/server_context.hpp"

namespace baton::check {

namespace {

constexpr int soon_days = 14;
constexpr int seconds_per_day = 24 * 3600;

int no_passphrase(char*, int, int, void*) { return -1; }

std::vector<tls::X509Ptr> certificates_in(const config::File& file) {
  const handoff::SecretBytes text = tls::read_file(file);
  const tls::BioPtr in(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  std::vector<tls::X509Ptr> certificates;
  while (X509* one = PEM_read_bio_X509_AUX(in.get(), nullptr, no_passphrase, nullptr)) certificates.emplace_back(one);
  ERR_clear_error();
  return certificates;
}

// RFC 2253, which escapes what is not text.
std::string subject_of(X509* certificate) {
  const tls::BioPtr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(out.get(), &text);
  return bytes > 0 ? std::string(text, static_cast<std::size_t>(bytes)) : "an empty subject";
}

// "2026-11-28 10:24 UTC"
std::string in_words(const ASN1_TIME* time) {
  tm utc{};
  if (ASN1_TIME_to_tm(time, &utc) != 1) return "a date that cannot be read";
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                     utc.tm_min);
}

// From one time to another; nullptr means now.
double days_between(const ASN1_TIME* from, const ASN1_TIME* to) {
  int days = 0;
  int seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, from, to) != 1) return 0;
  return days + static_cast<double>(seconds) / seconds_per_day;
}

std::optional<std::string> wrong_dates(X509* certificate) {
  const ASN1_TIME* begin = X509_get0_notBefore(certificate);
  const ASN1_TIME* end = X509_get0_notAfter(certificate);
  const auto text = [&](const std::string& what) {
    return fmt::format("the certificate of {} {}", subject_of(certificate), what);
  };
  const double left = days_between(nullptr, end);
  if (left <= 0) return text("has expired: it was valid until " + in_words(end));
  if (days_between(nullptr, begin) > 0) return text("is not valid yet: it will be from " + in_words(begin));
  // For one made for a few days, the last quarter of them.
  if (left < std::min<double>(soon_days, days_between(begin, end) / 4))
    return text("expires soon: it is valid until " + in_words(end));
  return std::nullopt;
}

// Every pair of certificate and key.
void each_pair(const config::Config& config, const std::function<void(const config::Certificate&)>& visit) {
  for (const auto& listener : config.listeners) {
    if (!listener.tls) continue;
    for (const auto& certificate : listener.tls->certificates) visit(certificate);
    for (const auto& certificate : tls::find_pairs(listener.tls->folders).pairs) visit(certificate);
  }
  for (const auto& upstream : config.upstreams) {
    if (upstream.tls && upstream.tls->certificate) visit(*upstream.tls->certificate);
  }
}

void each_ca(const config::Config& config, const std::function<void(const config::File&)>& visit) {
  for (const auto& listener : config.listeners) {
    if (listener.tls && listener.tls->client_ca) visit(*listener.tls->client_ca);
  }
  for (const auto& upstream : config.upstreams) {
    if (upstream.tls && upstream.tls->ca) visit(*upstream.tls->ca);
  }
}

}  // namespace

std::vector<std::string> refused_certificates(const config::Config& config) {
  std::vector<std::string> refused;
  const auto attempt = [&refused](const std::function<void()>& load) {
    try {
      load();
      return true;
    } catch (const std::exception& error) {
      if (std::ranges::find(refused, error.what()) == refused.end()) refused.emplace_back(error.what());
      return false;
    }
  };
  const auto files_are_there = [&](const config::Certificate& certificate) {
    const bool has_certificate = attempt([&] { tls::read_file(certificate.cert); });
    return attempt([&] { tls::read_file(certificate.key); }) && has_certificate;
  };
  const tls::TicketKeys tickets;
  for (const auto& listener : config.listeners) {
    if (!listener.tls) continue;
    const tls::FoundPairs found = tls::find_pairs(listener.tls->folders);
    for (const auto& one : found.unreadable) attempt([&] { tls::refuse(one.folder, std::strerror(one.error)); });
    std::vector<config::Certificate> pairs = listener.tls->certificates;
    pairs.insert(pairs.end(), found.pairs.begin(), found.pairs.end());
    // Each on its own, without the other keys of `tls`.
    for (const auto& certificate : pairs) {
      if (!files_are_there(certificate)) continue;
      config::ListenerTls alone = *listener.tls;
      alone.certificates = {certificate};
      alone.folders.clear();
      alone.client_auth = config::ClientAuth::off;
      alone.ciphers.clear();
      attempt([&] { tls::ServerContext(alone, listener.name, tickets); });
    }
  }
  for (const auto& upstream : config.upstreams) {
    if (!upstream.tls) continue;
    config::UpstreamTls alone = *upstream.tls;
    alone.certificate.reset();
    attempt([&] { tls::ClientContext context(alone); });
    if (upstream.tls->certificate && files_are_there(*upstream.tls->certificate)) {
      attempt([&] { tls::load_identity(*upstream.tls->certificate); });
    }
  }
  each_ca(config, [&](const config::File& file) {
    attempt([&] {
      if (certificates_in(file).empty()) tls::refuse(file, "no certificates in PEM");
    });
  });
  // However they are used together.
  if (refused.empty()) {
    for (const auto& listener : config.listeners) {
      if (listener.tls) attempt([&] { tls::ServerContext(*listener.tls, listener.name, tickets); });
    }
    for (const auto& upstream : config.upstreams) {
      if (upstream.tls) attempt([&] { tls::ClientContext context(*upstream.tls); });
    }
  }
  return refused;
}

std::vector<std::pair<config::File, std::string>> folders_without_certificate(const config::Config& config) {
  std::vector<std::pair<config::File, std::string>> found;
  for (const auto& listener : config.listeners) {
    if (!listener.tls) continue;
    for (const config::File& folder : tls::find_pairs(listener.tls->folders).without) {
      found.emplace_back(folder, "there is no pair of certificate and key");
    }
  }
  return found;
}

std::vector<std::pair<config::File, std::string>> dated_certificates(const config::Config& config) {
  std::vector<std::pair<config::File, std::string>> found;
  each_pair(config, [&](const config::Certificate& certificate) {
    for (const tls::X509Ptr& one : certificates_in(certificate.cert)) {
      if (auto wrong = wrong_dates(one.get())) found.emplace_back(certificate.cert, *std::move(wrong));
    }
  });
  each_ca(config, [&](const config::File& file) {
    std::optional<std::string> first;
    for (const tls::X509Ptr& one : certificates_in(file)) {
      auto wrong = wrong_dates(one.get());
      if (!wrong) return;
      if (!first) first = std::move(wrong);
    }
    if (first) found.emplace_back(file, *std::move(first));
  });
  return found;
}

}  // namespace baton::check
