// What the clients of the matrix do: each has one connection for the whole run, is led back into a certain state before
// every upgrade, and checks every byte that it gets.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harness/tls_client.hpp"

namespace baton::harness {

class Life {
 public:
  explicit Life(std::string name) : name_(std::move(name)) {}
  virtual ~Life() = default;

  const std::string& name() const { return name_; }
  // Does its share of the work, number 0 to steps - 1, and ends in the state that it stands for. Between two steps is
  // an upgrade.
  virtual void step(int number) = 0;
  virtual void finish() = 0;

 private:
  std::string name_;
};

// The listeners that they connect to: http, and tcp to the same origin.
struct Places {
  Address http;
  Address raw;
  int steps = 0;
};

// One of each kind, for this protocol and suite.
std::vector<std::unique_ptr<Life>> all_lives(const Places& places, const TlsOptions& options);

}  // namespace baton::harness
