// `watch: true`: certificates, keys and CAs are loaded anew when their files change.
#include "proxy/process/file_stamps.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/server.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

constexpr std::chrono::seconds look_every(1);

}  // namespace

void Server::watch_certificates() {
  certificates_timer_.cancel();
  watched_files_.clear();
  if (settings_->config.watch) {
    for (const auto& file : settings_->tls_files) watched_files_.push_back(file.path);
  }
  loaded_stamps_ = seen_stamps_ = settings_->tls_files;
  if (!watched_files_.empty()) look_at_certificates_later();
}

void Server::look_at_certificates_later() {
  certificates_timer_.expires_after(look_every);
  certificates_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    look_at_certificates();
    look_at_certificates_later();
  });
}

void Server::look_at_certificates() {
  // In a handover the workers keep what they have; afterwards whoever is the instance looks.
  if (!instance_ || upgrading_ || stopping_) return;
  // A certificate and its key are two files: wait until nothing changes any more.
  const auto before = std::exchange(seen_stamps_, process::stamps_of(watched_files_));
  if (seen_stamps_ != before || seen_stamps_ == loaded_stamps_) return;
  loaded_stamps_ = seen_stamps_;
  try {
    settings_ = with_new_certificates(*settings_);
    loaded_stamps_ = settings_->tls_files;
  } catch (const std::exception& error) {
    log::error("certificates have changed and cannot be used, those loaded before stay: {}", error.what());
    return;
  }
  workers_->each([&](Worker& worker) { worker.reconfigure(settings_, access_log_.get()); });
  log::info("certificates have changed: loaded anew");
}

}  // namespace baton::proxy
