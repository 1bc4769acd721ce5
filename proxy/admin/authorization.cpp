#include "proxy/admin/authorization.hpp"

#include <openssl/crypto.h>
#include <boost/beast/core/string.hpp>

namespace baton::admin {

namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

constexpr std::string_view bearer = "Bearer ";

bool is_same_secret(std::string_view one, std::string_view other) {
  return one.size() == other.size() && ::CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace

bool carries_token(const http::fields& fields, std::string_view token) {
  if (token.empty() || fields.count(http::field::authorization) != 1) return false;
  const auto field = fields[http::field::authorization];
  const std::string_view given(field.data(), field.size());
  return beast::iequals(given.substr(0, bearer.size()), bearer) && is_same_secret(given.substr(bearer.size()), token);
}

}  // namespace baton::admin
