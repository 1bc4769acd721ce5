#include "proxy/admin/authorization.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/beast/core/string.hpp>

namespace baton::admin {

namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

constexpr std::string_view bearer = "Bearer ";

bool is_same_secret(std::string_view one, std::string_view other) {
  return one.size() == other.size() && ::CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

// A name may lead anywhere (DNS rebinding); an address and localhost lead where they say.
bool is_no_name(std::string_view host) {
  const std::string_view name = host.starts_with('[') ? host.substr(1, std::max(host.find(']'), std::size_t{1}) - 1)
                                                      : host.substr(0, std::min(host.rfind(':'), host.size()));
  boost::system::error_code error;
  boost::asio::ip::make_address(name, error);
  return !error || name == "localhost";
}

}  // namespace

bool carries_token(const http::fields& fields, std::string_view token) {
  if (token.empty() || fields.count(http::field::authorization) != 1) return false;
  const auto field = fields[http::field::authorization];
  const std::string_view given(field.data(), field.size());
  return beast::iequals(given.substr(0, bearer.size()), bearer) && is_same_secret(given.substr(bearer.size()), token);
}

bool is_of_another_site(const http::fields& fields) {
  const auto value = [&](http::field name) {
    const auto text = fields[name];
    return std::string_view(text.data(), text.size());
  };
  const auto fetch_site = fields["Sec-Fetch-Site"];
  const std::string_view site(fetch_site.data(), fetch_site.size());
  const std::string_view origin = value(http::field::origin);
  if (site.empty() && origin.empty()) return false;
  if (!site.empty() && site != "same-origin" && site != "none") return true;
  const std::string_view host = value(http::field::host);
  const std::size_t scheme = origin.find("://");
  const bool is_own = origin.empty() || (scheme != std::string_view::npos && origin.substr(scheme + 3) == host);
  return !is_own || !is_no_name(host);
}

}  // namespace baton::admin
