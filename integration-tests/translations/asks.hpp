// Requests that several pages ask.
#pragma once

#include "translations/client_hello.hpp"
#include "translations/comparing.hpp"

namespace baton::harness {

inline const std::string of_ann = "Authorization: Basic YW5uOnNlY3JldA==\r\n";  // with the right password
inline const std::string of_a_guess = "Authorization: Basic YW5uOmd1ZXNz\r\n";

inline std::vector<Ask> times(std::size_t count, const Ask& ask) {
  return std::vector<Ask>(count, ask);
}

inline std::vector<Ask> with_server_names() {
  return {{.before = client_hello_for("shop.example.com")},
          {.before = client_hello_for("other.example.com")},
          {.before = client_hello_for("SHOP.example.com")}};
}

inline const std::vector<Ask> of_users{{"/users/12/a?b=c"}, {"/users/12/a/b"}, {"/users/x/a"}, {"/x/users/1/a"}, {"/"}};

// Five of the client's are allowed.
inline const std::vector<Ask> too_many{{"/"}, {"/"}, {"/"}, {"/"}, {"/"}, {"/"}, {"/"}, {.from = "127.0.0.2"}, {"/"}};

inline const std::vector<Ask> over_tls{{.tls = true},
                                       {.target = "/a?b", .fields = "Host: example.com:8080\r\n", .tls = true}};

inline const std::vector<Ask> with_proxy_headers{
    {.before = "PROXY TCP4 203.0.113.9 10.0.0.1 4000 80\r\n"},
    {.before = "PROXY TCP6 2001:db8::9 2001:db8::1 4000 80\r\n"},
    {.before = std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x09\x0a\x00\x00\x01\x12\x34\x00\x50", 28)},
    {.before = "PROXY UNKNOWN\r\n"},
    {"/"}};

}  // namespace baton::harness
