// A real dnsmasq that answers for names below `test`, with all of its files in its own directory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harness/address.hpp"
#include "harness/process.hpp"
#include "harness/temp_dir.hpp"

namespace baton::harness {

class NameServer {
 public:
  // `hosts` are lines of a hosts file, `records` such as "_http._tcp.app.test,one.test,8080,PRIORITY,WEIGHT".
  NameServer(const std::vector<std::string>& hosts, std::vector<std::string> records = {});

  const Address& address() const { return address_; }

  // From now on it says this instead.
  void say(const std::vector<std::string>& hosts);
  void say(const std::vector<std::string>& hosts, std::vector<std::string> records);
  // Nobody answers until it starts again.
  void stop();
  void start();

  static bool installed();

 private:
  void write(const std::vector<std::string>& hosts) const;

  TempDir directory_;
  Address address_ = loopback(free_port());
  std::vector<std::string> records_;
  std::unique_ptr<Process> process_;
};

}  // namespace baton::harness
