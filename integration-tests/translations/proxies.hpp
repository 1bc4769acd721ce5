// nginx, HAProxy, Caddy and Baton, each started with a snippet of a document inside the frame that its page describes.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "translations/places.hpp"

namespace baton::harness {

class Proxy {
 public:
  virtual ~Proxy() = default;
  virtual std::string log() const = 0;
};

using Start = std::function<std::unique_ptr<Proxy>(const std::string& snippet, const Places& places)>;

// They return when the proxy listens.
std::unique_ptr<Proxy> start_nginx(const std::string& snippet, const Places& places);
std::unique_ptr<Proxy> start_haproxy(const std::string& snippet, const Places& places);
std::unique_ptr<Proxy> start_caddy(const std::string& snippet, const Places& places);
std::unique_ptr<Proxy> start_baton(const std::string& snippet, const Places& places);

bool is_installed(const std::string& program);

}  // namespace baton::harness
