// SIGHUP and `ctl reload`: the configuration is replaced whole or not at all. Everything that can fail is done before
// anything changes.
#include <fcntl.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "proxy/runtime/log.hpp"
#include "proxy/server.hpp"

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

std::expected<std::string, std::string> Server::reload() {
  if (stopping_ || !instance_) {
    const std::string why = stopping_ ? "this process is stopping" : "this process is not the instance";
    log::warning("reload: refused: {}", why);
    return std::unexpected(why);
  }
  put_sockets_back();
  manager_.reloading();
  const auto failed = [this](const std::string& why) {
    manager_.reload_failed(why);
    last_reload_ok_ = false;
    log::error("reload: failed, the configuration stays as it was: {}", why);
    return std::unexpected(why);
  };
  auto loaded = options_.load();
  if (!loaded) return failed(loaded.error());
  if (const std::string keys = unchangeable(settings_->config, loaded->config); !keys.empty()) {
    return failed("a reload cannot change " + keys +
                  "; an upgrade (SIGUSR2) can change workers and addresses of admin.bind, only stop and start the paths");
  }
  try {
    auto settings = make_settings(std::move(loaded->config), settings_->ticket_keys);
    std::vector<handoff::InheritedSocket> kept = copies_of(sockets_);
    std::vector<BoundSocket> sockets = bind_listeners(settings->config, kept, lent_addresses(sockets_));
    std::unique_ptr<runtime::AccessLog> access_log;
    if (const auto& access = settings->config.log.access) access_log = std::make_unique<runtime::AccessLog>(access->path);
    options_.configuration_text = std::move(loaded->text);
    std::swap(access_log_, access_log);          // the old one is closed at the end, when no worker has it any more
    apply(std::move(settings), std::move(sockets));
  } catch (const std::exception& error) {
    return failed(error.what());
  }
  last_reload_ok_ = true;
  const std::string done = fmt::format("done, {} listeners, {} upstreams", settings_->config.listeners.size(),
                                       settings_->config.upstreams.size());
  log::info("reload: {}", done);
  manager_.reloaded();
  announce();
  return done;
}

void Server::apply(std::shared_ptr<const Settings> settings, std::vector<BoundSocket> sockets) {
  settings_ = std::move(settings);
  set_connection_limit();
  log::set_level(log_level(settings_->config));
  std::vector<BoundSocket> before = std::exchange(sockets_, std::move(sockets));
  watch_certificates();
  const auto listening = listening_sockets();
  workers_->each([&](Worker& worker) {
    worker.reconfigure(settings_, access_log_.get());
    worker.accept_on(listening);
  });
  // What the new configuration has no more: the connections that wait there are still served.
  for (const BoundSocket& socket : before) {
    const bool is_kept = std::any_of(sockets_.begin(), sockets_.end(),
                                     [&](const BoundSocket& now) { return now.address == socket.address; });
    if (is_kept) continue;
    workers_->at(0).loop().call([&] { workers_->at(0).empty_queue(as_workers_see_it(socket)); });
    unlink_path(socket);
    log::info("no longer listening on {} ({})", socket.address.text(), socket.listener);
  }
  for (const BoundSocket& socket : sockets_) {
    if (socket.bound_here) log::info("listening on {} ({})", socket.address.text(), socket.listener);
  }
}

}  // namespace baton::proxy
