// What the tests of two versions share: a running Baton with a connection of every kind, and the relay in its place.
#pragma once

#include "harness/baton.hpp"
#include "kinds.hpp"

namespace baton::versions {

struct ServingEveryKind {
  // With the connections that this version knows.
  explicit ServingEveryKind(const std::string& version = unreleased) : clients(version, servers.origin, web, raw) {
    baton.await_number("connections.head", 1);
    baton.await_number("connections.idle", 1);
  }

  // Installs what the next SIGUSR2 starts. `note` is a small file beside it, which tells it what to do.
  void put_in_place(const std::string& program, const std::string& note, const std::string& content) {
    harness::replace_file(baton.directory() / note, content);
    harness::replace_file(baton.binary_path(), harness::read_file(program), true);
  }

  // What the report of an upgrade says once all of them have moved.
  static std::string all_moved(const std::string& version = unreleased) {
    const std::size_t total = kinds_of(version).size();
    return "moved=" + std::to_string(total) + " (exchange: " + std::to_string(total - 5) +
           ", head: 1, idle: 1, tunnel: 3), taken_back=0, refused=0";
  }

  Servers servers;
  harness::Address web = harness::loopback(harness::free_port());
  harness::Address raw = harness::loopback(harness::free_port());
  harness::Baton baton{settings_for_every_kind(servers, web, raw)};
  EveryKind clients;
};

}  // namespace baton::versions
