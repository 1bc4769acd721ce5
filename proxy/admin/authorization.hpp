// Whether a request over TCP may command: it carries the token of the configuration.
#pragma once

#include <boost/beast/http/fields.hpp>

#include <string_view>

namespace baton::admin {

// `Authorization: Bearer TOKEN`, once (RFC 6750 §2.1). Takes the same time wherever a wrong one of the same length
// differs. An empty token is nobody's.
bool carries_token(const boost::beast::http::fields& fields, std::string_view token);

}  // namespace baton::admin
