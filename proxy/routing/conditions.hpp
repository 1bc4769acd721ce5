// The conditions of routes besides host and path, and what a request says to them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/path_regex.hpp"
#include "proxy/routing/address_set.hpp"
#include "proxy/routing/request.hpp"
#include "proxy/routing/value_tests.hpp"

namespace baton::routing {

// Those of one route, ready for the data path.
struct Conditions {
  struct Test {
    ValueTests::Index number;
    bool passes;  // false: the request must not pass it
  };
  std::vector<std::string> methods;
  std::vector<Test> headers;
  std::vector<Test> queries;
  AddressSet clients;
  bool has_clients = false;
  std::vector<config::PathRegex> path;  // at most one
};

// The tests of all routes of a table.
class Conditioned {
 public:
  Conditions add(const config::Match& match);
  void finish();

 private:
  friend class Asking;
  ValueTests headers_;
  ValueTests queries_;
  ValueTests::Index tests_ = 0;
};

// Whether a request meets conditions. Its header and its query are read once at most, and only if that matters.
class Asking {
 public:
  // All must outlive this object. `path` is the request's in the matched form.
  Asking(const Conditioned& tests, const Request& request, std::string_view path, Scratch& scratch)
      : tests_(tests), request_(request), path_(path), scratch_(scratch) {}

  bool meets(const Conditions& conditions);

 private:
  bool passes(const Conditions::Test& test) const {
    return (scratch_.passed_in[test.number] == scratch_.search) == test.passes;
  }
  void begin();
  void note(ValueTests::Index number) { scratch_.passed_in[number] = scratch_.search; }
  void read_header();
  void read_query();

  const Conditioned& tests_;
  const Request& request_;
  std::string_view path_;
  Scratch& scratch_;
  bool has_begun_ = false;
  bool has_header_ = false;
  bool has_query_ = false;
};

}  // namespace baton::routing
