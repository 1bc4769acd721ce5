// A real nginx in front of the origin, with a configuration of its own.
#pragma once

#include <sys/types.h>

#include <boost/asio/ip/tcp.hpp>
#include <optional>
#include <string>

#include "demo/patience.hpp"
#include "demo/temp_dir.hpp"

namespace baton::demo {

// The nginx in PATH or the usual places.
std::optional<std::string> find_nginx();

// What to say if there is none.
std::string no_nginx_found();

class Nginx {
 public:
  // Starts `program`; returns when it accepts connections. Throws std::runtime_error if it cannot be made to.
  // `patience` must outlive it.
  Nginx(const std::string& program, const boost::asio::ip::tcp::endpoint& origin, const TempDir& dir,
        Patience& patience);

  const std::string& version() const { return version_; }  // "nginx/1.22.1"
  const boost::asio::ip::tcp::endpoint& endpoint() const { return endpoint_; }

  // By SIGHUP; does not wait.
  void reload() const;

  // Processes that no longer accept connections, and stay for those that they have.
  std::size_t old_workers() const;

  void stop();

  // Throws std::runtime_error with `why` and its last words.
  [[noreturn]] void give_up(const std::string& why) const;

 private:
  Patience& patience_;  // outlives it
  std::string version_;
  std::string log_;
  boost::asio::ip::tcp::endpoint endpoint_;
  pid_t pid_ = 0;
};

}  // namespace baton::demo
