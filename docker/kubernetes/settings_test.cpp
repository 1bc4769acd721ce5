// The manifests' numbers agree with each other and with what their configuration means to Baton.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include "config/load.hpp"

namespace baton::config {
namespace {

constexpr std::uint64_t mebibyte = 1024 * 1024;
constexpr Milliseconds healthcheck_limit{5'000};  // of `baton ctl healthcheck`

const char* no_environment(const char*) {
  return nullptr;
}

// The first number in a text.
std::uint64_t number_in(const std::string& text) {
  std::smatch digits;
  if (!std::regex_search(text, digits, std::regex("[0-9]+"))) {
    ADD_FAILURE() << "no number in: " << text;
    return 0;
  }
  return std::stoull(digits.str());
}

Milliseconds seconds(const YAML::Node& node) {
  return std::chrono::seconds(node.as<int>());
}

std::uint64_t bytes(const YAML::Node& node) {
  const auto text = node.as<std::string>();
  if (text.ends_with("Mi")) return number_in(text) * mebibyte;
  if (text.ends_with("Gi")) return number_in(text) * 1024 * mebibyte;
  ADD_FAILURE() << "no unit that is known here: " << text;
  return 0;
}

std::string last_word(const YAML::Node& command) {
  return command[command.size() - 1].as<std::string>();
}

class Manifest : public testing::TestWithParam<std::string> {
 protected:
  Manifest() {
    for (const YAML::Node& document : YAML::LoadAllFromFile(KUBERNETES + GetParam())) {
      const auto kind = document["kind"].as<std::string>();
      if (kind == "ConfigMap") load(document["data"]["baton.yaml"].as<std::string>());
      if (kind != "DaemonSet" && kind != "StatefulSet") continue;
      workload = document["spec"];
      pod = workload["template"]["spec"];
      annotations = workload["template"]["metadata"]["annotations"];
      for (const YAML::Node& container : pod["containers"]) containers.push_back(container);
    }
    EXPECT_FALSE(containers.empty());
  }

  Config config;
  YAML::Node workload, pod, annotations;
  std::vector<YAML::Node> containers;

 private:
  void load(const std::string& text) {
    auto loaded = load_text(text, GetParam(), no_environment);
    if (auto* read = std::get_if<Config>(&loaded))
      config = *std::move(read);
    else
      for (const Problem& problem : std::get<Problems>(loaded)) ADD_FAILURE() << problem.text();
  }
};

TEST_P(Manifest, ContainersAreKilledOnlyAfterAGracefulStop) {
  ASSERT_GT(config.timeouts.shutdown, Milliseconds{0});
  for (const YAML::Node& container : containers) {
    const std::string before_stop = last_word(container["lifecycle"]["preStop"]["exec"]["command"]);
    ASSERT_THAT(before_stop, testing::HasSubstr("sleep"));
    const std::chrono::seconds pause(number_in(before_stop.substr(before_stop.find("sleep"))));
    EXPECT_GT(seconds(pod["terminationGracePeriodSeconds"]), pause + config.timeouts.shutdown);
  }
}

TEST_P(Manifest, AnOldPodIsDeletedOnlyWhenItHasFinishedServing) {
  if (const YAML::Node wait = workload["minReadySeconds"]) {
    EXPECT_GT(seconds(wait), config.handoff.drain_timeout);
  } else {
    EXPECT_EQ(workload["updateStrategy"]["type"].as<std::string>(), "OnDelete");
  }
}

TEST_P(Manifest, ProbesWaitForATakeoverAndForAHealthCheck) {
  for (const YAML::Node& container : containers) {
    const YAML::Node startup = container["startupProbe"];
    EXPECT_GT(seconds(startup["periodSeconds"]) * startup["failureThreshold"].as<int>(),
              config.handoff.ready_timeout + config.handoff.finish_timeout + config.handoff.drain_timeout);
    for (const char* name : {"readinessProbe", "livenessProbe"}) {
      const YAML::Node probe = container[name];
      EXPECT_THAT(last_word(probe["exec"]["command"]), testing::EndsWith("unix:/run/baton/admin.sock"));
      EXPECT_GT(seconds(probe["timeoutSeconds"]), healthcheck_limit) << name;
    }
  }
  // `auto` is that socket in the image, whose XDG_RUNTIME_DIR is /run.
  EXPECT_THAT(config.admin, testing::Contains(std::optional<Address>()));
}

// Kubernetes takes only strings for annotations, so `true` and the port are quoted.
TEST_P(Manifest, MetricsAreScrapedWhereTheAdminInterfaceListens) {
  for (const char* name : {"prometheus.io/scrape", "prometheus.io/port"})
    EXPECT_EQ(annotations[name].Tag(), "!") << name;
  EXPECT_EQ(annotations["prometheus.io/scrape"].as<std::string>(), "true");
  EXPECT_EQ(annotations["prometheus.io/path"].as<std::string>(), "/metrics");
  const Address scraped{.port = annotations["prometheus.io/port"].as<std::uint16_t>()};
  EXPECT_THAT(config.admin, testing::Contains(std::optional(scraped)));
}

TEST_P(Manifest, MemorySufficesForAllConnectionsWithFullBuffers) {
  ASSERT_TRUE(config.limits.connections);
  for (const YAML::Node& container : containers) {
    const YAML::Node requests = container["resources"]["requests"];
    const YAML::Node limits = container["resources"]["limits"];
    EXPECT_TRUE(requests["cpu"]);
    EXPECT_FALSE(limits["cpu"]);
    EXPECT_LE(bytes(requests["memory"]), bytes(limits["memory"]));
    // And for the states of all connections once more, with the processes themselves.
    const std::uint64_t buffers = *config.limits.connections * 2 * config.limits.buffer_bytes;
    EXPECT_GE(bytes(limits["memory"]), buffers + 256 * mebibyte);
  }
}

INSTANTIATE_TEST_SUITE_P(Kubernetes, Manifest, testing::Values("daemonset.yaml", "statefulset.yaml"),
                         [](const auto& each) { return each.param.substr(0, each.param.find('.')); });

}  // namespace
}  // namespace baton::config
