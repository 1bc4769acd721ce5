#include "proxy/server/reloads.hpp"

#include <fcntl.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "config/load.hpp"
#include "handoff/insist.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/server/timer.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

// A reload that takes longer logs this and answers the clients that wait for it.
constexpr std::chrono::seconds slow_after(10);

// Those that wait for the one under way.
constexpr std::size_t waiting_max = 16;

// The names of changed settings that a running process cannot change.
std::string unchangeable(const config::Config& now, const config::Config& wanted) {
  std::string keys;
  const auto note = [&](bool differs, const char* key) {
    if (differs) keys += (keys.empty() ? "" : ", ") + std::string(key);
  };
  note(now.workers != wanted.workers, "workers");
  note(now.handoff.socket != wanted.handoff.socket, "handoff.socket");
  note(now.admin != wanted.admin, "admin.bind");
  note(now.pid_file != wanted.pid_file, "pid_file");
  return keys;
}

// The sockets of the running configuration, as if they had been inherited: copies, so that nothing changes yet.
std::vector<handoff::InheritedSocket> copies_of(const std::vector<BoundSocket>& sockets) {
  std::vector<handoff::InheritedSocket> copies;
  for (const BoundSocket& socket : sockets) {
    handoff::UniqueFd copy(::fcntl(socket.socket.get(), F_DUPFD_CLOEXEC, 3));
    if (!copy) throw std::runtime_error("no descriptor is free");
    copies.push_back({socket.listener, socket.address.text(), std::move(copy)});
  }
  return copies;
}

// A client knows what it has sent: places in that are LINE:COLUMN alone.
std::string without_name(const std::string& text) {
  const std::string name = std::string(config::applied_name) + ":";
  std::string result;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = std::string_view(text).substr(begin, end - begin);
    if (line.starts_with(name)) {
      line.remove_prefix(name.size());
      if (line.starts_with(' ')) result += "the configuration";  // as a whole has no place
    }
    result += line;
    if (end < text.size()) result += '\n';
    begin = end + 1;
  }
  return result;
}

}  // namespace

// Runs off the main thread: a name lookup or a disk may take any length of time.
Reloads::Result Reloads::prepare(const LoadConfiguration& load, const Reload& reload, const Settings& now) {
  std::vector<config::Change> changes;
  const auto refuse = [&](const std::string& why) {
    return Result{.prepared = std::unexpected(reload.applied ? without_name(why) : why), .changes = std::move(changes)};
  };
  try {
    auto loaded = load(reload.applied);
    if (!loaded) return refuse(loaded.error());
    if (reload.applied) changes = config::changes(now.config, loaded->config);
    if (const std::string keys = unchangeable(now.config, loaded->config); !keys.empty()) {
      return refuse("a reload cannot change " + keys +
                    "; an upgrade (SIGUSR2) can change workers and addresses of admin.bind, only stop and start the "
                    "paths");
    }
    Prepared prepared =
        reload.is_dry_run ? make_ready_on_trial(*std::move(loaded)) : make_ready(*std::move(loaded), now);
    return {.prepared = std::move(prepared), .changes = std::move(changes)};
  } catch (const std::exception& error) {
    return refuse(handoff::describe(error));
  }
}

Reloads::Prepared Reloads::make_ready(LoadedConfiguration loaded, const Settings& now) {
  FormerListeners former = former_listeners(now, loaded.config);
  Prepared prepared{.settings = make_settings(std::move(loaded.config), now.ticket_keys, now.servers, now.names,
                                              Unknown::ask, now.counts, std::move(former)),
                    .listeners = {},
                    .access_log = {},
                    .provenance = loaded.provenance,
                    .text = std::move(loaded.text)};
  prepared.listeners = look_up_listeners(prepared.settings->config);
  if (const auto& access = prepared.settings->config.log.access) {
    prepared.access_log = std::make_shared<access_log::AccessLog>(*access);
  }
  return prepared;
}

// Looks up names and reads files like the other one, but touches nothing that the running settings share, and makes no
// log file.
Reloads::Prepared Reloads::make_ready_on_trial(LoadedConfiguration loaded) {
  Prepared prepared{.settings = make_settings(std::move(loaded.config)),
                    .listeners = {},
                    .access_log = {},
                    .provenance = loaded.provenance,
                    .text = {}};
  prepared.listeners = look_up_listeners(prepared.settings->config);
  return prepared;
}

std::optional<std::string> Reloads::why_not() const {
  if (parts_.role.is_stopping()) return "this process is stopping";
  if (!parts_.role.is_instance()) return "this process is not the instance";
  return std::nullopt;
}

void Reloads::begin(Answer answer) {
  if (const auto why = why_not()) {
    log::warning("reload: refused: {}", *why);
    return answer(std::unexpected(*why));
  }
  auto wanted = [answer = std::move(answer)](const Outcome& outcome, const auto&) { answer(outcome); };
  // The file may have changed since the reload under way read it, but one that is yet to begin serves for several.
  if (!next_.empty() && !next_.back()->applied) {
    warn_of_wait(*next_.back());
    return next_.back()->asked.push_back(std::move(wanted));
  }
  auto reload = std::make_shared<Reload>();
  reload->asked.push_back(std::move(wanted));
  add(std::move(reload));
}

void Reloads::apply(std::string yaml, bool dry_run, AnswerWithChanges answer) {
  if (const auto why = why_not()) {
    log::warning("apply: refused: {}", *why);
    return answer(std::unexpected(*why), {});
  }
  auto reload = std::make_shared<Reload>();
  reload->applied = std::move(yaml);
  reload->is_dry_run = dry_run;
  reload->asked.push_back(std::move(answer));
  add(std::move(reload));
}

void Reloads::add(std::shared_ptr<Reload> reload) {
  if (!under_way_) return carry_out(std::move(reload));
  warn_of_wait(*reload);
  next_.push_back(std::move(reload));
}

void Reloads::warn_of_wait(const Reload& reload) const {
  log::warning("{}: another one has been reading files for {} s; this one follows", reload.name(),
               under_way_->seconds());
}

bool Reloads::has_room() const {
  return next_.size() < waiting_max;
}

bool Reloads::is_file_wanted() const {
  const auto is_of_file = [](const std::shared_ptr<Reload>& one) { return !one->applied; };
  return under_way_ && (is_of_file(under_way_) || std::ranges::any_of(next_, is_of_file));
}

std::int64_t Reloads::Reload::seconds() const {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - since).count();
}

void Reloads::Reload::answer(const Outcome& outcome, const std::vector<config::Change>& changes) {
  for (const AnswerWithChanges& one : std::exchange(asked, {})) handoff::insist([&] { one(outcome, changes); });
}

// A file on a network or a name lookup may take forever. The reload continues, and later requests follow it.
void Reloads::tell_when_slow() {
  call_after(slow_, slow_after, [this] {
    // The timer may belong to a reload that has just ended.
    if (!under_way_ || under_way_->seconds() < slow_after.count()) return;
    tell_when_slow();
    const std::string text =
        fmt::format("files or names have been read for {} s; the configuration stays as it was until that ends, and "
                    "the event log says how",
                    under_way_->seconds());
    log::warning("{}: {}", under_way_->name(), text);
    const auto tell = [&text](Reload& reload) {
      reload.answer(std::unexpected(reload.is_dry_run ? "files or names take long to read; try again later" : text));
    };
    tell(*under_way_);
    for (const auto& waiting : next_) tell(*waiting);
  });
}

// Every client that asked is answered, whatever fails.
void Reloads::carry_out(std::shared_ptr<Reload> reload) {
  under_way_ = std::move(reload);
  under_way_->since = std::chrono::steady_clock::now();
  try {
    if (!under_way_->is_dry_run) {
      if (parts_.instance.put_sockets_back()) parts_.supervision.announce();
      parts_.manager.reloading();
    }
    tell_when_slow();
    parts_.background.run([this, load = load_, now = parts_.data_path.settings(), of = std::weak_ptr(under_way_),
                           reload = Reload{under_way_->applied, under_way_->is_dry_run}]() -> Background::Rest {
      return [this, of, result = prepare(load, reload, *now)]() mutable {
        if (of.lock() == under_way_ && under_way_) end(std::move(result));
      };
    });
  } catch (const std::exception& error) {
    end({.prepared = std::unexpected(handoff::describe(error))});
  }
}

void Reloads::end(Result result) {
  const std::shared_ptr<Reload> over = std::exchange(under_way_, nullptr);
  slow_.cancel();
  std::expected<Prepared, std::string>& prepared = result.prepared;
  const Outcome outcome = !prepared          ? std::unexpected(std::move(prepared.error()))
                          : over->is_dry_run ? Outcome("")
                                             : take(*std::move(prepared));
  if (!over->applied) has_last_succeeded_ = outcome.has_value();
  if (!over->is_dry_run) {
    metrics::ledger().add(outcome ? R"(reloads_total{result="succeeded"})" : R"(reloads_total{result="failed"})");
  }
  if (over->is_dry_run) {
    // Its client alone is concerned.
  } else if (outcome) {
    log::info("{}: {}", over->name(), *outcome);
    parts_.manager.reloaded();
  } else {
    log::error("{}: failed, the configuration stays as it was: {}", over->name(), outcome.error());
    parts_.manager.reload_failed(outcome.error());
  }
  over->answer(outcome, result.changes);
  if (next_.empty()) return;
  std::shared_ptr<Reload> next = std::move(next_.front());
  next_.pop_front();
  carry_out(std::move(next));
}

// Runs in the main thread, and is quick.
Reloads::Outcome Reloads::take(Prepared prepared) {
  std::string done;
  std::vector<BoundSocket> sockets;
  try {
    const config::Config& config = prepared.settings->config;
    done = fmt::format("done, {} listeners, {} upstreams", config.listeners.size(), config.upstreams.size());
    const std::vector<BoundSocket>& before = parts_.instance.sockets();
    std::vector<handoff::InheritedSocket> kept = copies_of(before);
    sockets = bind_listeners(prepared.listeners, kept, lent_addresses(before));
  } catch (const std::exception& error) {
    return std::unexpected(handoff::describe(error));
  }
  replace(std::move(prepared), std::move(sockets));
  return done;
}

// Nothing fails from here on.
void Reloads::replace(Prepared prepared, std::vector<BoundSocket> sockets) {
  DataPath& data_path = parts_.data_path;
  Generation& generation = parts_.generation;
  if (generation.provenance.is_applied && !prepared.provenance.is_applied) {
    handoff::insist([] {
      log::info("the configuration is the file's again, and no longer the one applied to the admin interface");
    });
  }
  generation.configuration_text = std::move(prepared.text);
  generation.provenance = prepared.provenance;
  data_path.replace(std::move(prepared.settings), std::move(prepared.access_log));
  const std::vector<BoundSocket> before = parts_.instance.replace_sockets(std::move(sockets));
  const std::vector<BoundSocket>& after = parts_.instance.sockets();
  parts_.supervision.announce();
  handoff::insist([this] { parts_.certificates.watch(); });
  handoff::insist([this] { parts_.names.watch(); });
  handoff::insist([this] { parts_.health.watch(); });
  data_path.reconfigure(after);
  // Sockets that the new configuration drops: connections that wait in their queues are still served.
  for (const BoundSocket& socket : before) {
    const bool is_kept =
        std::ranges::any_of(after, [&](const BoundSocket& now) { return now.address == socket.address; });
    if (is_kept) continue;
    data_path.empty_queue(socket);
    unlink_path(socket);
    log::info("no longer listening on {} ({})", socket.address.text(), socket.listener);
  }
  for (const BoundSocket& socket : after) {
    if (socket.bound_here) log::info("listening on {} ({})", socket.address.text(), socket.listener);
  }
}

void Reloads::drop(const std::string& why, const std::string& and_the_file) {
  if (!under_way_) return;
  const std::shared_ptr<Reload> dropped = std::exchange(under_way_, nullptr);
  const std::deque<std::shared_ptr<Reload>> others = std::exchange(next_, {});
  slow_.cancel();
  const auto reason = [&](const Reload& reload) { return reload.applied ? why : why + and_the_file; };
  log::warning("{}: given up: {}", dropped->name(), reason(*dropped));
  if (!dropped->is_dry_run) parts_.manager.reload_failed(reason(*dropped));
  dropped->answer(std::unexpected(reason(*dropped)));
  for (const auto& other : others) other->answer(std::unexpected(reason(*other)));
}

}  // namespace baton::proxy
