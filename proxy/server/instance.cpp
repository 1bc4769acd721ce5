#include "proxy/server/instance.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "handoff/limits.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/server/service_manager.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

std::unexpected<handoff::Error> refuse(std::string text) {
  return handoff::fail(handoff::Fault::refused, std::move(text));
}

std::string holder_of(const std::optional<std::string>& pid_file) {
  const auto pid = pid_file ? handoff::PidFile::named_in(*pid_file) : std::nullopt;
  return pid ? ", PID " + std::to_string(*pid) : std::string();
}

std::string in_words(const std::vector<config::Address>& addresses) {
  std::string text;
  for (const config::Address& address : addresses) text += (text.empty() ? "" : ", ") + address.text();
  return text;
}

// A running instance's paths cannot change: everyone who knows them would look in the wrong place. Of several admin
// addresses this applies to the one that identifies the instance, if it is a path.
std::optional<std::string> changed_path(const state::InstanceRecord& theirs, const process::Paths& ours) {
  const auto differs = [](const char* key, const std::string& running, const std::string& wanted) {
    return running == wanted ? std::optional<std::string>()
                             : fmt::format(
                                   "an upgrade cannot change {} (the running instance has '{}', the "
                                   "configuration says '{}'); stop and start to change it",
                                   key, running, wanted);
  };
  if (auto text = differs("handoff.socket", theirs.handoff_socket, ours.handoff_socket.value_or(""))) return text;
  if (auto text = differs("pid_file", theirs.pid_file, ours.pid_file.value_or(""))) return text;
  const bool is_kept = !theirs.admin.starts_with("unix:") || admin_known_as(ours.admin, theirs.admin) == theirs.admin;
  return differs("admin.bind", theirs.admin, is_kept ? theirs.admin : in_words(ours.admin));
}

// In another mount namespace the same path may be another file: with two locks there would be two instances.
std::optional<std::string> other_lock(const state::InstanceRecord& theirs, const handoff::InstanceLock& ours,
                                      const std::string& path) {
  if (theirs.lock_inode == 0 || ours.identity() == handoff::FileIdentity{theirs.lock_device, theirs.lock_inode}) {
    return std::nullopt;
  }
  return path +
         " is another file here than for the running instance; the two processes must share the folder of "
         "handoff.socket, under the same path";
}

// The source is asked for later: what it consists of may not be there yet.
admin::EventStreams::Feed feed_of(const std::function<admin::Source()>& source) {
  return {.status = [source](auto answer) { source().status(std::move(answer)); },
          .history = [source] { return source().history(); }};
}

}  // namespace

Instance::Instance(boost::asio::io_context& context, InstancePlan plan, std::function<admin::Source()> admin_source,
                   std::function<void(ExternalSuccessor)> begin_takeover)
    : paths_(std::move(plan.paths)),
      wanted_listeners_(std::move(plan.listeners)),
      wanted_admin_(std::move(plan.admin)),
      passed_(std::move(plan.passed)),
      named_(plan.named),
      events_(context, feed_of(admin_source)),
      admin_(context,
             [this, admin_source] {
               admin::Source source = admin_source();
               source.events = &events_;
               return source;
             }),
      successors_(context, std::move(begin_takeover)) {
  if (!paths_.warning.empty()) log::warning("{}", paths_.warning);
}

// ── Becoming it ───────────────────────────────────────────────────────────────────────────────────────────────────

void Instance::acquire() {
  auto lock = paths_.lock ? handoff::InstanceLock::on_file(*paths_.lock) : handoff::InstanceLock::on_memory();
  if (!lock) {
    const std::string folder = std::filesystem::path(paths_.lock.value_or("/")).parent_path();
    const bool is_writable = ::access(folder.c_str(), W_OK) == 0;
    throw std::runtime_error(lock.error().text +
                             (is_writable ? "" : " (handoff.socket must be in a folder we can write)"));
  }
  lock_ = std::move(*lock);
  if (!lock_.try_take()) {
    throw std::runtime_error("another instance runs already (it holds " + *paths_.lock + holder_of(paths_.pid_file) +
                             "); to replace it, send it SIGUSR2; to run beside it, give handoff.socket, pid_file and "
                             "admin.bind other paths");
  }
  std::vector<std::string> lent;
  for (const auto& socket : passed_.sockets) lent.push_back(socket.address);
  admin_.claim(wanted_admin_, passed_.sockets, lent);
  sockets_ = bind_or_take(wanted_listeners_, std::move(passed_));
  if (paths_.pid_file) {
    auto file = handoff::PidFile::prepare(*paths_.pid_file, named_);
    if (!file) throw std::runtime_error(file.error().text);
    *pid_file_.lock() = std::move(*file);
  }
  admin_known_as_ = admin_known_as(paths_.admin);
}

handoff::Result<void> Instance::inherit(const state::InstanceRecord& record, handoff::Inheritance& inheritance,
                                        std::chrono::milliseconds lock_patience) {
  if (auto text = changed_path(record, paths_)) return refuse(std::move(*text));
  handoff::UniqueFd lock;
  for (auto& socket : inheritance.sockets) {
    if (socket.name == "@lock") lock = std::move(socket.descriptor);
    if (socket.name == "@handoff" && paths_.handoff_socket) {
      successors_.meet_at(handoff::MeetingPoint::inherited(std::move(socket.descriptor), *paths_.handoff_socket));
    }
  }
  if (auto opened = open_inherited_lock(record, std::move(lock)); !opened) return opened;
  lock_.be_heir(inheritance.heir);
  // No predecessor holds the lock for us: if it is taken, another process is the instance, and we must not accept.
  if (record.after_crash && !record.holds_lock && !lock_.take_within(lock_patience)) {
    return refuse("another process holds the instance lock");
  }
  if (paths_.pid_file) {
    auto file = handoff::PidFile::prepare(*paths_.pid_file, named_);
    if (!file) return std::unexpected(file.error());
    *pid_file_.lock() = std::move(*file);
  }
  return {};
}

handoff::Result<void> Instance::open_inherited_lock(const state::InstanceRecord& record, handoff::UniqueFd passed) {
  auto opened = paths_.lock ? handoff::InstanceLock::on_file(*paths_.lock)
                : passed    ? handoff::InstanceLock::reopened(std::move(passed))
                            : handoff::InstanceLock::on_memory();
  if (!opened) return std::unexpected(opened.error());
  lock_ = std::move(*opened);
  if (paths_.lock) {
    if (auto text = other_lock(record, lock_, *paths_.lock)) return refuse(std::move(*text));
  }
  return {};
}

void Instance::take_sockets(const state::InstanceRecord& record, std::vector<handoff::InheritedSocket> inherited) {
  admin_known_as_ = admin_known_as(paths_.admin, record.admin);
  std::vector<std::string> lent = record.lent;
  admin_.claim(wanted_admin_, inherited, lent);
  for (const auto& socket : passed_.sockets) lent.push_back(socket.address);
  admin_.claim(wanted_admin_, passed_.sockets, lent);
  // A successor's own service manager may have passed some as well.
  sockets_ = bind_or_take(wanted_listeners_, std::move(passed_), std::move(inherited), record.lent);
}

void Instance::open_admin() {
  admin_.open(wanted_admin_);
}

// A predecessor that has the socket passes it on with its queue; others have none.
handoff::Result<void> Instance::open_meeting_point() {
  if (!paths_.handoff_socket) return {};
  if (!successors_.has_meeting_point()) {
    auto point = handoff::MeetingPoint::open(*paths_.handoff_socket);
    if (!point) return std::unexpected(point.error());
    successors_.meet_at(std::move(*point));
  }
  successors_.resume();
  return {};
}

void Instance::resume_inherited() {
  admin_.become_instance();
  events_.begin_turn();
}

// ── Giving it up ──────────────────────────────────────────────────────────────────────────────────────────────────

void Instance::give_up() {
  events_.put_token();
  admin_.pause();
  successors_.pause();
  lock_.release();
}

bool Instance::take_back_within(std::chrono::milliseconds patience) {
  if (!take_lock_within(patience)) return false;
  if (auto published = publish_pid(); !published) log::error("{}", published.error().text);
  return true;
}

void Instance::reclaim() {
  admin_.resume();
  events_.begin_turn();
  successors_.resume();
}

void Instance::leave_to_others() {
  events_.leave();
  successors_.close();
  sockets_.clear();
}

void Instance::close_listeners() {
  for (const BoundSocket& socket : sockets_) unlink_path(socket);
  sockets_.clear();
}

void Instance::withdraw() {
  pid_file_.lock()->withdraw();
  admin_.unlink();
  successors_.withdraw();
  for (const BoundSocket& socket : sockets_) unlink_path(socket);
}

void Instance::unlink_bound_here() const {
  admin_.unlink_bound_here();
  for (const BoundSocket& socket : sockets_) {
    if (socket.bound_here) unlink_path(socket);
  }
}

// ── While it is the instance ──────────────────────────────────────────────────────────────────────────────────────

bool Instance::put_sockets_back() {
  bool changed = false;
  const auto anew = [&changed](const std::string& path, const std::function<void()>& make) {
    try {
      make();
      changed = true;
      log::warning("{} had been removed; restored", path);
    } catch (const std::exception& error) {
      log::warning("{} has been removed and cannot be restored: {}", path, error.what());
    }
  };
  admin_.put_back(anew);
  if (successors_.has_meeting_point() && is_gone(*paths_.handoff_socket)) {
    anew(*paths_.handoff_socket, [this] {
      auto point = handoff::MeetingPoint::open(*paths_.handoff_socket);
      if (!point) throw std::runtime_error(point.error().text);
      successors_.close();
      successors_.meet_at(std::move(*point));
      successors_.resume();
    });
  }
  return changed;
}

// A successor takes the lock by its path. If the file has been removed, we hold a lock that no other process can see,
// so the file is created again before anything depends on it.
handoff::Result<void> Instance::check_lock_path() {
  if (!paths_.lock || lock_.is_at(*paths_.lock)) return {};
  auto anew = handoff::InstanceLock::on_file(*paths_.lock);
  if (anew && anew->try_take()) {
    lock_ = std::move(*anew);
    log::warning("the lock {} had been removed; restored", *paths_.lock);
    return {};
  }
  return handoff::fail(handoff::Fault::system, "the lock " + *paths_.lock + " has been removed, and " +
                                                   (anew ? "another instance holds the new one" : anew.error().text));
}

std::vector<BoundSocket> Instance::replace_sockets(std::vector<BoundSocket> sockets) {
  return std::exchange(sockets_, std::move(sockets));
}

void Instance::offer(handoff::Estate& estate) const {
  for (const BoundSocket& socket : sockets_) {
    estate.sockets.push_back({socket.listener, socket.address.text(), socket.socket.get()});
  }
  std::ranges::move(admin_.to_pass_on(admin_known_as_), std::back_inserter(estate.sockets));
  if (successors_.has_meeting_point())
    estate.sockets.push_back({"@handoff", *paths_.handoff_socket, successors_.descriptor()});
  if (!paths_.lock) estate.sockets.push_back({"@lock", "", lock_.to_pass_on()});
}

void Instance::offer_events(handoff::Estate& estate) {
  const std::size_t taken = std::min(estate.sockets.size(), handoff::limits::sockets_inherited_of_old - 1);
  std::ranges::move(events_.offer(handoff::limits::sockets_inherited_of_old - 1 - taken),
                    std::back_inserter(estate.sockets));
}

void Instance::describe(state::InstanceRecord& record) const {
  record.handoff_socket = paths_.handoff_socket.value_or("");
  record.pid_file = paths_.pid_file.value_or("");
  record.admin = admin_known_as_;
  record.lent = lent_addresses(sockets_);
  std::ranges::move(admin_.lent(), std::back_inserter(record.lent));
  record.lock_device = lock_.identity().device;
  record.lock_inode = lock_.identity().inode;
}

}  // namespace baton::proxy
