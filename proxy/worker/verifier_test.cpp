// Requests that wait for their passwords to be verified.
#include "proxy/worker/verifier.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace baton::proxy {
namespace {

// Slow to verify, so that what follows waits.
std::shared_ptr<const routing::Passwords> slow_passwords() {
  return std::make_shared<const routing::Passwords>(
      routing::Passwords::parse("ann:$2b$12$qQoZUL30wMT4.QnpD5ZeKOBp.fBeY8RoO5HBXZpC4rejSly6ZCi8m\n").value());
}

class Waiting : public testing::Test {
 protected:
  std::shared_ptr<Verifier::Question> question() {
    return std::make_shared<Verifier::Question>(http1::PasswordQuestion{passwords, "ann:wrong"}, [](bool) {});
  }
  bool ask(const std::shared_ptr<Verifier::Question>& one) { return verifier.ask(one, loop_address); }

  const std::shared_ptr<const routing::Passwords> passwords = slow_passwords();
  runtime::Loop loop;
  const std::shared_ptr<LoopAddress> loop_address = std::make_shared<LoopAddress>(loop);
  Verifier verifier;
  ~Waiting() override { loop_address->end(); }
};

TEST_F(Waiting, IsLimited) {
  std::vector<std::shared_ptr<Verifier::Question>> kept;
  bool is_refused = false;
  for (std::size_t i = 0; i < 2 * Verifier::waiting_max && !is_refused; ++i)
    is_refused = !ask(kept.emplace_back(question()));
  EXPECT_TRUE(is_refused);
}

// A reload, or a client that goes, drops the question.
TEST_F(Waiting, EndsWithItsRequest) {
  std::vector<std::shared_ptr<Verifier::Question>> kept;
  while (ask(kept.emplace_back(question()))) {
  }
  kept.clear();
  for (std::size_t i = 0; i < Verifier::waiting_max / 2; ++i) EXPECT_TRUE(ask(kept.emplace_back(question()))) << i;
}

}  // namespace
}  // namespace baton::proxy
