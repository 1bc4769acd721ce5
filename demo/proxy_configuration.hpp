// The configuration of the demo's proxy.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <optional>
#include <string>

#include "demo/certificate.hpp"
#include "demo/entrances.hpp"

namespace baton::demo {

inline constexpr unsigned proxy_threads = 2;

// The field of each answer to the page that names the version that gave it. The proxy adds it.
inline constexpr const char* colour_field = "Baton-Demo-Colour";

// Of a canary (canary_marks.hpp).
struct Faulty {
  boost::asio::ip::tcp::endpoint absent;  // nothing listens there
  std::string page_path;
};

struct PageDoors {
  boost::asio::ip::tcp::endpoint listen;
  boost::asio::ip::tcp::endpoint server;
  std::string colour;
};

struct ProxySettings {
  Endpoints listen;
  Endpoints origin;
  CertificateFiles certificate;
  std::string handoff_socket, admin_socket, pid_file;
  std::optional<PageDoors> page;
  std::optional<boost::asio::ip::tcp::endpoint> unusable;  // one more address to listen on, which is taken
  std::optional<Faulty> faulty;
};

std::string configuration(const ProxySettings& settings);

}  // namespace baton::demo
