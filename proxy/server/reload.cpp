// SIGHUP and `ctl reload`: the configuration is replaced whole or not at all. Everything that can fail is done before
// anything changes.
#include <fcntl.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "handoff/insist.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/server/server.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

// What a running process cannot change, by name.
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

// Apart from the main thread: a name or a disk may take as long as it likes.
std::expected<Server::Prepared, std::string> Server::prepare(const decltype(LaunchOptions::load)& load,
                                                             const Settings& now) {
  try {
    auto loaded = load();
    if (!loaded) return std::unexpected(loaded.error());
    if (const std::string keys = unchangeable(now.config, loaded->config); !keys.empty()) {
      return std::unexpected("a reload cannot change " + keys +
                             "; an upgrade (SIGUSR2) can change workers and addresses of admin.bind, only stop and start the paths");
    }
    Prepared prepared{.settings = make_settings(std::move(loaded->config), now.ticket_keys),
                      .listeners = {},
                      .access_log = {},
                      .text = std::move(loaded->text)};
    prepared.listeners = look_up_listeners(prepared.settings->config);
    if (const auto& access = prepared.settings->config.log.access) {
      prepared.access_log = std::make_shared<runtime::AccessLog>(access->path);
    }
    return prepared;
  } catch (const std::exception& error) {
    return std::unexpected(error.what());
  }
}

void Server::reload(ReloadAnswer answer) {
  if (role_.is_stopping() || !role_.is_instance()) {
    const std::string why = role_.is_stopping() ? "this process is stopping" : "this process is not the instance";
    log::warning("reload: refused: {}", why);
    return answer(std::unexpected(why));
  }
  // The file may have changed after it was read for the one that goes on.
  if (reload_) return reload_->asked_since.push_back(std::move(answer));
  auto reload = std::make_shared<Reload>();
  reload->asked.push_back(std::move(answer));
  begin_reload(std::move(reload));
}

// Whoever has asked is answered, come what may.
void Server::begin_reload(std::shared_ptr<Reload> reload) {
  reload_ = std::move(reload);
  try {
    put_sockets_back();
    manager_.reloading();
    background_.run([this, load = options_.load, now = settings_, of = std::weak_ptr(reload_)]() -> Background::Rest {
      return [this, of, prepared = prepare(load, *now)]() mutable {
        if (of.lock() == reload_ && reload_) end_reload(std::move(prepared));
      };
    });
  } catch (const std::exception& error) {
    end_reload(std::unexpected(handoff::describe(error)));
  }
}

void Server::end_reload(std::expected<Prepared, std::string> prepared) {
  std::shared_ptr<Reload> over = std::exchange(reload_, nullptr);
  const ReloadOutcome outcome = prepared ? take(std::move(*prepared)) : std::unexpected(std::move(prepared.error()));
  last_reload_ok_ = outcome.has_value();
  if (outcome) {
    log::info("reload: {}", *outcome);
    manager_.reloaded();
  } else {
    log::error("reload: failed, the configuration stays as it was: {}", outcome.error());
    manager_.reload_failed(outcome.error());
  }
  for (const ReloadAnswer& answer : over->asked) handoff::insist([&] { answer(outcome); });
  over->asked = std::exchange(over->asked_since, {});
  if (!over->asked.empty()) begin_reload(std::move(over));
}

// In the main thread, and quick.
Server::ReloadOutcome Server::take(Prepared prepared) {
  std::string done;
  std::vector<BoundSocket> sockets;
  try {
    const config::Config& config = prepared.settings->config;
    done = fmt::format("done, {} listeners, {} upstreams", config.listeners.size(), config.upstreams.size());
    std::vector<handoff::InheritedSocket> kept = copies_of(sockets_);
    sockets = bind_listeners(prepared.listeners, kept, lent_addresses(sockets_));
  } catch (const std::exception& error) {
    return std::unexpected(error.what());
  }
  // Nothing fails from here on.
  options_.configuration_text = std::move(prepared.text);
  auto before = std::exchange(access_log_, std::move(prepared.access_log));
  apply(std::move(prepared.settings), std::move(sockets));
  retire(std::move(before));
  return done;
}

// No worker has it any more. What it has not written yet it writes in its own time.
void Server::retire(std::shared_ptr<runtime::AccessLog> access_log) {
  if (!access_log) return;
  try {
    background_.run([access_log = std::move(access_log)]() mutable {
      access_log.reset();
      return Background::Rest();
    });
  } catch (const std::exception&) {
    // No thread is free: it has been waited for here.
  }
}

bool Server::drop_reload(const std::string& why) {
  if (!reload_) return false;
  const std::shared_ptr<Reload> dropped = std::exchange(reload_, nullptr);
  log::warning("reload: given up: {}", why);
  manager_.reload_failed(why);
  for (const auto* asked : {&dropped->asked, &dropped->asked_since}) {
    for (const ReloadAnswer& answer : *asked) handoff::insist([&] { answer(std::unexpected(why)); });
  }
  return true;
}

void Server::apply(std::shared_ptr<const Settings> settings, std::vector<BoundSocket> sockets) {
  settings_ = std::move(settings);
  set_connection_limit();
  log::set_level(log_level(settings_->config));
  std::vector<BoundSocket> before = std::exchange(sockets_, std::move(sockets));
  announce();
  // Workers that are given all of it in part would write to a log, and accept from sockets, that are closed by then.
  handoff::insist([this] {
    watch_certificates();
    const auto listening = listening_sockets();
    workers_->each([&](Worker& worker) {
      worker.reconfigure(settings_, access_log_.get());
      worker.accept_on(listening);
    });
  });
  // What the new configuration has no more: the connections that wait there are still served.
  for (const BoundSocket& socket : before) {
    const bool is_kept = std::any_of(sockets_.begin(), sockets_.end(),
                                     [&](const BoundSocket& now) { return now.address == socket.address; });
    if (is_kept) continue;
    empty_queue(socket);
    unlink_path(socket);
    log::info("no longer listening on {} ({})", socket.address.text(), socket.listener);
  }
  for (const BoundSocket& socket : sockets_) {
    if (socket.bound_here) log::info("listening on {} ({})", socket.address.text(), socket.listener);
  }
}

}  // namespace baton::proxy
