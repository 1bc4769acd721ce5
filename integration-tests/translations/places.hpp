// What the documents write as a port or a file, and where that is in a test: ports 8080 to 8082 are listening proxies,
// 9000 to 9002 three servers, 9009 is a port on which nobody listens; files are in a folder of the test.
#pragma once

#include <array>
#include <map>
#include <string>

#include "harness/address.hpp"
#include "harness/temp_dir.hpp"

namespace baton::harness {

using Servers = std::array<Address, 3>;

class Places {
 public:
  // `files` is a folder; whoever calls puts the files there.
  Places(const Servers& servers, const std::string& files);

  // The text of a document with real ports on loopback and real files.
  std::string made_real(std::string text) const;
  // The reverse for ports, in what a proxy or a client said.
  std::string as_documented(std::string text) const;

  Address front(int documented) const { return loopback(fronts_.at(documented)); }
  // Those of the documented ports that the text has.
  std::map<int, Address> fronts_in(const std::string& text) const;

 private:
  std::map<int, std::uint16_t> fronts_;
  std::map<int, std::uint16_t> servers_;
  std::string files_;
};

}  // namespace baton::harness
