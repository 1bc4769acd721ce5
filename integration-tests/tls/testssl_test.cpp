// Runs testssl.sh on Baton and on nginx with its defaults, at the same time and with one certificate: it rates nothing
// of ours worse.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <future>
#include <map>

#include "harness/baton.hpp"
#include "harness/certificates.hpp"
#include "harness/nginx.hpp"

namespace baton::harness {
namespace {

// From best to worst, as testssl.sh writes them.
constexpr std::array severities{"OK", "INFO", "LOW", "MEDIUM", "HIGH", "CRITICAL", "FATAL"};

int rank_of(const std::string& severity) {
  const auto found = std::ranges::find(severities, severity);
  if (found == severities.end()) throw Failure("testssl.sh rates something \"" + severity + "\"");
  return static_cast<int>(found - severities.begin());
}

struct Finding {
  std::string severity;
  std::string text;
};
using Findings = std::map<std::string, Finding>;  // by testssl.sh's id; the worst of several with one id

// Protocols, suites, certificate and vulnerabilities, but no check that needs other machines.
Findings findings_on(const Address& address, const TempDir& directory, const std::string& name) {
  const std::string path = directory / (name + ".json");
  const Outcome outcome =
      run({.argv = {"testssl", "--quiet", "--color", "0", "--warnings", "off", "--jsonfile", path, "--protocols",
                    "--server-preference", "--fs", "--server-defaults", "--vulnerable", address.text()},
           .patience = Milliseconds(280'000)});
  Findings findings;
  const boost::json::value parsed = boost::json::parse(read_file(path));
  for (const auto& value : parsed.as_array()) {
    const auto text = [&](const char* key) { return std::string(value.at(key).as_string()); };
    const Finding finding{text("severity"), text("finding")};
    if (finding.severity == "WARN") continue;  // no verdict: for example, one of its own connections came too late
    if (rank_of(finding.severity) >= rank_of(findings.try_emplace(text("id"), finding).first->second.severity)) {
      findings[text("id")] = finding;
    }
  }
  EXPECT_GT(findings.size(), 50u) << outcome.out << outcome.err;
  return findings;
}

TEST(Testssl, RatesNothingWorseThanForNginx) {
  TempDir directory;
  Authority authority(directory);
  const Certificate ecdsa = authority.issue({"localhost"}), rsa = authority.issue({"localhost"}, KeyType::rsa);
  const auto nginx_lines = [](const Certificate& certificate) {
    return "ssl_certificate " + certificate.cert + "; ssl_certificate_key " + certificate.key + "; ";
  };
  const Nginx nginx("ssl", nginx_lines(ecdsa) + nginx_lines(rsa));
  const Nginx origin;
  Settings settings(origin.address());
  settings.tls = "certificates: [ " + ecdsa.yaml() + ", " + rsa.yaml() + " ]";
  Baton baton(settings);
  auto beside = std::async(std::launch::async, [&] { return findings_on(nginx.address(), directory, "nginx"); });
  const Findings ours = findings_on(baton.address(), directory, "baton");
  const Findings theirs = beside.get();
  for (const auto& [id, finding] : ours) {
    const auto their = theirs.find(id);
    // A finding that nginx does not have must not be bad.
    const std::string reference = their == theirs.end() ? "INFO" : their->second.severity;
    EXPECT_LE(rank_of(finding.severity), rank_of(reference))
        << id << ": " << finding.severity << ", " << finding.text << "; of nginx " << reference
        << (their == theirs.end() ? "" : ", " + their->second.text);
  }
}

}  // namespace
}  // namespace baton::harness
