// What the clients of the matrix do: each has one connection for the whole run, is brought into a certain state before
// every upgrade, and checks every byte that it gets.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "clients/kinds.hpp"
#include "harness/tls_client.hpp"

namespace baton::harness {

class Life {
 public:
  explicit Life(clients::Kind kind) : kind_(kind) {}
  virtual ~Life() = default;

  std::string name() const { return clients::name_of(kind_); }
  // Does its share of the work, number 0 to steps - 1, and ends in the state that it represents. An upgrade separates
  // each step from the next.
  virtual void step(int number) = 0;
  virtual void finish() = 0;

 private:
  clients::Kind kind_;
};

// The listeners that they connect to: http, and tcp to the same origin.
struct Places {
  Address http;
  Address raw;
  int steps = 0;
};

// One of each kind that is played over TLS, for this protocol and suite.
std::vector<std::unique_ptr<Life>> all_lives(const Places& places, const TlsOptions& options);

}  // namespace baton::harness
