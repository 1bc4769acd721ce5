#include "demo/askers.hpp"

#include <algorithm>

#include "demo/canary_marks.hpp"
#include "demo/steady_client.hpp"

namespace baton::demo {
namespace {

constexpr std::uint32_t first_address = 0x7f000002;  // 127.0.0.2: all others connect from 127.0.0.1

class Asker final : public SteadyClient {
 public:
  Asker(boost::asio::io_context& context, const Entrance& server, unsigned index, Account& account,
        Askers::Notes& notes)
      : SteadyClient(context, server, index + 1, account, Askers::pause), index_(index), notes_(notes) {}

 private:
  std::optional<boost::asio::ip::address> from() const override {
    return boost::asio::ip::address_v4(first_address + index_);
  }
  std::string target_of(std::uint64_t serial) const override {
    return std::string(asked_prefix) + SteadyClient::target_of(serial).substr(1);
  }
  std::string judge(const Answer& answer, const std::string& target) override {
    const bool is_failure = answer.result_int() >= 500;
    notes_.add(index_, is_failure, answer.count(canary_field) != 0 || answer.body() == canary_page);
    return is_failure ? "" : SteadyClient::judge(answer, target);
  }

  unsigned index_;
  Askers::Notes& notes_;  // outlives the client
};

}  // namespace

Askers::Askers(const Entrance& server)
    : load_([&](boost::asio::io_context& context) {
        std::vector<std::unique_ptr<Client>> clients;
        Account& account = tally_.account({Kind::keep_alive});
        for (unsigned i = 0; i < number; ++i) {
          clients.push_back(std::make_unique<Asker>(context, server, i, account, notes_));
        }
        return clients;
      }) {}

AskersView Askers::seen() const {
  AskersView asked = notes_.sum();
  asked.totals = tally_.totals();
  return asked;
}

void Askers::Notes::add(unsigned asker, bool is_failure, bool is_of_canary) {
  const std::lock_guard lock(mutex_);
  Note& note = notes_.at(asker);
  if (is_failure) (is_of_canary ? note.failed : note.failed_outside) = true;
  if (!is_of_canary) return;
  note.served = true;
  last_ = Clock::now();
  if (!first_) first_ = last_;
}

AskersView Askers::Notes::sum() const {
  const std::lock_guard lock(mutex_);
  const auto count = [this](bool Note::* which) {
    return static_cast<unsigned>(std::ranges::count(notes_, true, which));
  };
  return {.totals = {},
          .served = count(&Note::served),
          .failed = count(&Note::failed),
          .failed_outside = count(&Note::failed_outside),
          .seconds = first_ ? std::chrono::duration<double>(*last_ - *first_).count() : 0};
}

}  // namespace baton::demo
