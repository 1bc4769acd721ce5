// Whether a request over TCP may command: it carries the token of the configuration.
#pragma once

#include <boost/beast/http/fields.hpp>

#include <string_view>

namespace baton::admin {

// `Authorization: Bearer TOKEN`, once (RFC 6750 §2.1). Takes the same time wherever a wrong one of the same length
// differs. No client has an empty token.
bool carries_token(const boost::beast::http::fields& fields, std::string_view token);

// A browser sent the request on behalf of another site, or to a host name that may lead anywhere. A Unix socket that is
// forwarded to a port must not obey every page that its user opens. Other clients send none of these fields.
bool is_of_another_site(const boost::beast::http::fields& fields);

}  // namespace baton::admin
