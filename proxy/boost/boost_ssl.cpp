// The same for Asio's TLS, apart so that only who uses it needs OpenSSL.
#include <boost/asio/ssl/impl/src.hpp>
