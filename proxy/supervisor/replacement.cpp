#include "proxy/supervisor/replacement.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "handoff/start.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/state/instance_record.hpp"

namespace baton::supervisor {

handoff::Result<handoff::Started> start_again(const handoff::Estate& estate, const std::vector<std::string>& arguments,
                                              int door) {
  handoff::Program program{.arguments = arguments,
                           .executable = estate.executable,
                           .configuration = estate.configuration,
                           .descriptors = {{handoff::supervisor_variable, door}},
                           .environment = runtime::log::environment(),
                           .own_group = true};
  // The crashed worker's own command line: an upgrade may have named another path.
  const auto record = state::decode_instance_record(estate.application);
  if (record && !record->arguments.empty()) program.arguments = record->arguments;
  return handoff::start_successor(std::move(program));
}

void log_like(const std::string& application) {
  using runtime::log::Format;
  if (const auto record = state::decode_instance_record(application)) {
    runtime::log::set_format(record->logs_json ? Format::json : Format::text);
  }
}

handoff::Estate estate_of(const Heritage& heritage) {
  handoff::Estate estate{.sockets = {},
                         .application = heritage.application,
                         .secrets = {},
                         .configuration = heritage.configuration,
                         .executable = heritage.executable.get()};
  for (const handoff::InheritedSocket& socket : heritage.sockets) {
    estate.sockets.push_back({socket.name, socket.address, socket.descriptor.get()});
  }
  return estate;
}

Replacement::Replacement(handoff::Started started, std::shared_ptr<const Heritage> heritage, state::Crash crash,
                         std::int64_t crashed_at_us)
    : heritage_(std::move(heritage)),
      crash_(std::move(crash)),
      crashed_at_us_(crashed_at_us),
      pid_(started.pid),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      over_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_ || !over_) throw std::system_error(errno, std::generic_category(), "eventfd");
  conversation_ = std::thread([this, channel = std::move(started.channel)]() mutable {
    const handoff::PredecessorTerms terms{.self = {heritage_->generation, ::getpid(), heritage_->version}, .features = {}};
    outcome_ = handoff::hand_over(std::move(channel), *this, terms);
    ::eventfd_write(over_.get(), 1);
  });
}

Replacement::~Replacement() {
  call_off("the supervisor continues without it");
  if (conversation_.joinable()) conversation_.join();
}

const handoff::HandoverOutcome& Replacement::outcome() {
  if (conversation_.joinable()) conversation_.join();
  return outcome_;
}

void Replacement::call_off(const std::string& why) {
  if (auto called_off = called_off_.lock(); !*called_off) *called_off = why;
  ::eventfd_write(wake_.get(), 1);
}

handoff::Estate Replacement::estate() { return estate_of(*heritage_); }

std::string Replacement::resign() {
  state::InstanceRecord record;
  record.crashes.last = crash_;
  record.crashes.last.stall_us = static_cast<std::uint64_t>(runtime::monotonic_us() - crashed_at_us_);
  return state::encode(record);
}

std::optional<std::string> Replacement::called_off() {
  return *called_off_.lock();
}

}  // namespace baton::supervisor
