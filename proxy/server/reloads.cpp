#include "proxy/server/reloads.hpp"

#include <fcntl.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "handoff/insist.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/server/timer.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

// A reload that takes longer logs this and answers the clients that wait for it.
constexpr std::chrono::seconds slow_after(10);

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

}  // namespace

// Runs off the main thread: a name lookup or a disk may take any length of time.
std::expected<Reloads::Prepared, std::string> Reloads::prepare(const LoadConfiguration& load, const Settings& now) {
  try {
    auto loaded = load();
    if (!loaded) return std::unexpected(loaded.error());
    if (const std::string keys = unchangeable(now.config, loaded->config); !keys.empty()) {
      return std::unexpected(
          "a reload cannot change " + keys +
          "; an upgrade (SIGUSR2) can change workers and addresses of admin.bind, only stop and start the paths");
    }
    FormerListeners former = former_listeners(now, loaded->config);
    Prepared prepared{.settings = make_settings(std::move(loaded->config), now.ticket_keys, now.servers, now.names,
                                                Unknown::ask, now.counts, std::move(former)),
                      .listeners = {},
                      .access_log = {},
                      .text = std::move(loaded->text)};
    prepared.listeners = look_up_listeners(prepared.settings->config);
    if (const auto& access = prepared.settings->config.log.access) {
      prepared.access_log = std::make_shared<access_log::AccessLog>(*access);
    }
    return prepared;
  } catch (const std::exception& error) {
    return std::unexpected(handoff::describe(error));
  }
}

void Reloads::begin(Answer answer) {
  if (parts_.role.is_stopping() || !parts_.role.is_instance()) {
    const std::string why = parts_.role.is_stopping() ? "this process is stopping" : "this process is not the instance";
    log::warning("reload: refused: {}", why);
    return answer(std::unexpected(why));
  }
  // The file may have changed since the reload under way read it.
  if (under_way_) {
    log::warning("reload: another one has been reading files for {} s; this one follows", under_way_->seconds());
    return under_way_->asked_since.push_back(std::move(answer));
  }
  auto reload = std::make_shared<Reload>();
  reload->asked.push_back(std::move(answer));
  carry_out(std::move(reload));
}

std::int64_t Reloads::Reload::seconds() const {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - since).count();
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
    log::warning("reload: {}", text);
    for (auto* asked : {&under_way_->asked, &under_way_->asked_since}) {
      for (Answer& answer : *asked) std::exchange(answer, [](const Outcome&) {})(std::unexpected(text));
    }
  });
}

// Every client that asked is answered, whatever fails.
void Reloads::carry_out(std::shared_ptr<Reload> reload) {
  under_way_ = std::move(reload);
  try {
    if (parts_.instance.put_sockets_back()) parts_.supervision.announce();
    parts_.manager.reloading();
    tell_when_slow();
    parts_.background.run(
        [this, load = load_, now = parts_.data_path.settings(), of = std::weak_ptr(under_way_)]() -> Background::Rest {
          return [this, of, prepared = prepare(load, *now)]() mutable {
            if (of.lock() == under_way_ && under_way_) end(std::move(prepared));
          };
        });
  } catch (const std::exception& error) {
    end(std::unexpected(handoff::describe(error)));
  }
}

void Reloads::end(std::expected<Prepared, std::string> prepared) {
  std::shared_ptr<Reload> over = std::exchange(under_way_, nullptr);
  slow_.cancel();
  const Outcome outcome = prepared ? take(std::move(*prepared)) : std::unexpected(std::move(prepared.error()));
  has_last_succeeded_ = outcome.has_value();
  if (outcome) {
    log::info("reload: {}", *outcome);
    parts_.manager.reloaded();
  } else {
    log::error("reload: failed, the configuration stays as it was: {}", outcome.error());
    parts_.manager.reload_failed(outcome.error());
  }
  for (const Answer& answer : over->asked) handoff::insist([&] { answer(outcome); });
  over->asked = std::exchange(over->asked_since, {});
  over->since = std::chrono::steady_clock::now();
  if (!over->asked.empty()) carry_out(std::move(over));
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
  apply(std::move(prepared), std::move(sockets));
  return done;
}

// Nothing fails from here on.
void Reloads::apply(Prepared prepared, std::vector<BoundSocket> sockets) {
  DataPath& data_path = parts_.data_path;
  parts_.generation.configuration_text = std::move(prepared.text);
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

bool Reloads::drop(const std::string& why) {
  if (!under_way_) return false;
  const std::shared_ptr<Reload> dropped = std::exchange(under_way_, nullptr);
  slow_.cancel();
  log::warning("reload: given up: {}", why);
  parts_.manager.reload_failed(why);
  for (const auto* asked : {&dropped->asked, &dropped->asked_since}) {
    for (const Answer& answer : *asked) handoff::insist([&] { answer(std::unexpected(why)); });
  }
  return true;
}

}  // namespace baton::proxy
