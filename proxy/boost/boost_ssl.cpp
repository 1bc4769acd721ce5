// The same for Asio's TLS, in a separate file so that only its users need OpenSSL.
#include <boost/asio/ssl/impl/src.hpp>
