// A real nginx as the origin, with all of its files in its own directory. It serves /small (10 bytes of
// `pattern`) and /large (1 MiB of it).
#pragma once

#include <memory>
#include <string>

#include "harness/address.hpp"
#include "harness/process.hpp"
#include "harness/temp_dir.hpp"

namespace baton::harness {

class Nginx {
 public:
  Nginx() : Nginx("", "") {}
  // `listen_options` such as "ssl"; `lines` go into the server block.
  Nginx(const std::string& listen_options, const std::string& lines);

  const Address& address() const { return address_; }

  static bool installed();

 private:
  TempDir directory_;
  Address address_ = loopback(free_port());
  std::unique_ptr<Process> process_;
};

}  // namespace baton::harness
