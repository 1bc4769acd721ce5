#include "proxy/worker/descriptors.hpp"

#include <gtest/gtest.h>

namespace baton::proxy {
namespace {

config::Config config_with(unsigned workers, int listening) {
  config::Config config;
  config.workers = workers;
  config.listeners.resize(1);
  for (int i = 0; i < listening; ++i) config.listeners[0].bind.push_back({.host = "127.0.0.1", .port = 1});
  return config;
}

TEST(DescriptorPlan, ReservesAsMuchAsIsDocumented) {
  EXPECT_EQ(plan_descriptors(config_with(1, 1), 1024).connections(), (1024u - 256) / 2);
  EXPECT_EQ(plan_descriptors(config_with(32, 64), 1024).connections(), (1024u - 256) / 2);
  EXPECT_EQ(plan_descriptors(config_with(1, 74), 1024).connections(), (1024u - 256 - 20) / 2);
  EXPECT_EQ(plan_descriptors(config_with(42, 1), 1024).connections(), (1024u - 256 - 20) / 2);
  EXPECT_EQ(plan_descriptors(config_with(1, 1), 512).connections(), 512u / 4);
  EXPECT_EQ(plan_descriptors(config_with(1, 1), 64).connections(), 64u / 4);
}

TEST(DescriptorPlan, ReservesWhatWorkersAndListenersNeedHoweverFewThereAre) {
  EXPECT_EQ(plan_descriptors(config_with(8, 2), 64).sockets, 64u - 24 - 2 * (8 + 2));
  EXPECT_EQ(plan_descriptors(config_with(8, 2), 32).connections(), 1u);
}

TEST(DescriptorPlan, NamesALimitThatWouldDo) {
  for (const std::uint64_t wanted : {1u, 20u, 100u, 128u, 129u, 1000u}) {
    config::Config config = config_with(2, 1);
    config.limits.connections = wanted;
    const auto warning = too_many_connections(config, plan_descriptors(config, 16));
    if (wanted == 1) {
      EXPECT_FALSE(warning);
      continue;
    }
    const std::uint64_t enough = 2 * wanted + 256;
    EXPECT_NE(warning.value().find("open files to " + std::to_string(enough) + " "), std::string::npos) << *warning;
    EXPECT_FALSE(too_many_connections(config, plan_descriptors(config, enough)));
  }
}

}  // namespace
}  // namespace baton::proxy
