// Whether a request over TCP may command: it carries the token of the configuration.
#pragma once

#include <boost/beast/http/fields.hpp>

#include <string_view>

namespace baton::admin {

// `Authorization: Bearer TOKEN`, once (RFC 6750 §2.1). Takes the same time wherever a wrong one of the same length
// differs. An empty token is nobody's.
bool carries_token(const boost::beast::http::fields& fields, std::string_view token);

// A browser sends it on behalf of another site, or of a name that may be anybody's: the address of a Unix socket that
// is forwarded to a port must not obey every page that its user opens. What is no browser sends no such fields.
bool is_of_another_site(const boost::beast::http::fields& fields);

}  // namespace baton::admin
