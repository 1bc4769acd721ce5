// What the tests of two versions share: a running Baton with a connection of every kind, and the relay in its place.
#pragma once

#include "harness/baton.hpp"
#include "kinds.hpp"

namespace baton::versions {

struct ServingEveryKind {
  ServingEveryKind() {
    baton.await_number("connections.head", 1);
    baton.await_number("connections.idle", 1);
  }

  // Installs what the next SIGUSR2 starts. `note` is a small file beside it, which tells it what to do.
  void put_in_place(const std::string& program, const std::string& note, const std::string& content) {
    harness::replace_file(baton.directory() / note, content);
    harness::replace_file(baton.binary_path(), harness::read_file(program), true);
  }

  static harness::Origin& ready(harness::Origin& origin) {
    answer_every_kind(origin);
    return origin;
  }

  harness::Origin origin;
  harness::Address web = harness::loopback(harness::free_port());
  harness::Address raw = harness::loopback(harness::free_port());
  harness::Baton baton{settings_for_every_kind(ready(origin), web, raw)};
  EveryKind clients{origin, web, raw};
};

}  // namespace baton::versions
