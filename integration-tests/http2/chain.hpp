// Two Batons: clients speak to `front`, which speaks HTTP/2 to `back`, which speaks HTTP/1.1 to the origin.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "harness/baton.hpp"
#include "harness/http2_client.hpp"
#include "harness/origin.hpp"

namespace baton::harness {

class Chain : public testing::Test {
 protected:
  Settings back_settings(const std::string& limits = "") const {
    Settings settings(origin.address());
    settings.limits = limits;
    settings.handoff += ", finish_timeout: 50ms";
    return settings;
  }
  Settings front_settings(const std::string& protocol = "http2") const {
    Settings settings(back->address());
    settings.server_protocol = protocol;
    settings.handoff += ", finish_timeout: 50ms";
    return settings;
  }
  void begin(const std::string& back_limits = "") {
    back.emplace(back_settings(back_limits));
    front.emplace(front_settings());
  }
  // How many connections the front has made to the back.
  std::int64_t carriers() const { return back->number("accepted_total"); }

  Origin origin;
  std::optional<Baton> back;
  std::optional<Baton> front;
};

}  // namespace baton::harness
