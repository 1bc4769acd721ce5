#include "proxy/server/supervision.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "handoff/insist.hpp"
#include "proxy/runtime/log.hpp"

namespace baton::proxy {

namespace asio = boost::asio;
namespace log = runtime::log;

namespace {

// The longest wait for a supervisor that hangs; shorter while the predecessor is waiting for us.
constexpr std::chrono::milliseconds telling_limit{1000};

keeper::Survive survival(const config::Handoff& handoff) {
  switch (handoff.survive) {
    case config::Survive::all:
      return keeper::Survive::all;
    case config::Survive::idle:
      return keeper::Survive::idle_ones;
    case config::Survive::off:
      break;
  }
  return keeper::Survive::none;
}

}  // namespace

Supervision::Supervision(asio::io_context& context, std::unique_ptr<supervisor::WorkerLine> line,
                         std::unique_ptr<keeper::Keeper> keeper, Parts parts)
    : line_(std::move(line)), keeper_(std::move(keeper)), parts_(std::move(parts)), watched_(context) {}

pid_t Supervision::lasting_pid() const {
  return line_ ? line_->supervisor() : ::getpid();
}

std::optional<pid_t> Supervision::supervisor() const {
  return line_ ? std::optional(line_->supervisor()) : std::nullopt;
}

std::optional<handoff::LeftDescriptor> Supervision::door() const {
  return line_ ? std::optional(line_->door()) : std::nullopt;
}

std::function<void(int channel, int spare)> Supervision::for_conversation(keeper::Partner partner) const {
  return [keeper = keeper_.get(), partner](int channel, int spare) {
    if (keeper != nullptr) keeper->note_conversation(partner, channel, spare);
  };
}

void Supervision::note_prepared() {
  if (keeper_) keeper_->note_prepared(parts_.lock(), survival(parts_.data_path.handoff()));
}

void Supervision::watch(std::function<void()> hear_signals, std::function<void()> gone) {
  if (!line_) return;
  hear_signals_ = std::move(hear_signals);
  gone_ = std::move(gone);
  watched_.assign(::fcntl(line_->descriptor(), F_DUPFD_CLOEXEC, 3));
  handoff::insist([this] {
    watched_.async_wait(asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
      if (error) return;
      if (heir_) return heir_is_known();
      is_gone_ = true;
      gone_();
    });
  });
}

void Supervision::heir_is_known() {
  hear_signals_();
  heir_.reset();
}

void Supervision::announce() {
  if (!line_ || !parts_.role.is_instance()) return;
  handoff::insist([this] {
    supervisor::Announcement said = parts_.describe();
    if (keeper_) {
      const config::Handoff& handoff = parts_.data_path.handoff();
      const handoff::PredecessorTerms terms{.self = said.self,
                                            .features = said.features,
                                            .ready_timeout = handoff.ready_timeout,
                                            .step_timeout = handoff.step_timeout};
      keeper_->remember(terms, said.estate, parts_.lock(), survival(handoff));
    }
    said.estate.secrets = {};  // a supervisor holds no keys
    line_->announce(std::move(said));
  });
  await_telling();
}

void Supervision::leave() {
  if (!line_ || !parts_.role.is_instance()) return;
  leave_unserved();
  await_telling();
}

void Supervision::leave_unserved() {
  if (keeper_) keeper_->note_end();
  if (line_) handoff::insist([this] { line_->leave(); });
}

void Supervision::succeeded_by(pid_t successor, bool foreign) {
  if (!line_) return;
  if (keeper_) keeper_->note_end();
  handoff::insist([&] { line_->succeeded_by(successor, foreign); });
  if (!foreign && !is_gone_) heir_ = successor;
}

void Supervision::end() {
  if (keeper_) keeper_->end();
  if (line_) line_->end();
}

void Supervision::await_telling() {
  const std::chrono::milliseconds limit = std::min(telling_limit, parts_.data_path.handoff().step_timeout / 2);
  if (!line_->sent_within(limit)) log::warning("the supervisor, PID {}, does not answer", lasting_pid());
}

}  // namespace baton::proxy
