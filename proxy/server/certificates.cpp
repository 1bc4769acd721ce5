// `watch: true`: certificates, keys and CAs are loaded anew when their files change.
#include "handoff/insist.hpp"
#include "proxy/process/file_stamps.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/server/server.hpp"
#include "proxy/server/timer.hpp"

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
  call_after(certificates_timer_, look_every, [this] {
    look_at_certificates_later();
    look_at_certificates();
  });
}

// The disk is asked, and read, apart from this thread; what was found is of use only if nothing else has changed the
// settings meanwhile. A look that lasts longer than a second is waited for.
void Server::look_at_certificates() {
  // In a handover the workers keep what they have; afterwards whoever is the instance looks.
  if (!role_.is_serving() || looking_at_certificates_) return;
  background_.run([this, files = watched_files_, settings = settings_]() -> Background::Rest {
    return [this, settings, stamps = process::stamps_of(files)]() mutable {
      looking_at_certificates_ = false;
      if (settings == settings_) certificates_seen(std::move(stamps));
    };
  });
  looking_at_certificates_ = true;
}

void Server::certificates_seen(std::vector<process::FileStamp> stamps) {
  // A certificate and its key are two files: wait until nothing changes any more.
  const auto before = std::exchange(seen_stamps_, std::move(stamps));
  if (seen_stamps_ != before || seen_stamps_ == loaded_stamps_) return;
  background_.run([this, settings = settings_]() -> Background::Rest {
    std::expected<std::shared_ptr<const Settings>, std::string> renewed;
    try {
      renewed = with_new_certificates(*settings);
    } catch (const std::exception& error) {
      renewed = std::unexpected(error.what());
    }
    return [this, settings, renewed = std::move(renewed)] {
      looking_at_certificates_ = false;
      if (settings == settings_ && role_.is_serving()) certificates_loaded(renewed);
    };
  });
  looking_at_certificates_ = true;
}

void Server::certificates_loaded(const std::expected<std::shared_ptr<const Settings>, std::string>& renewed) {
  loaded_stamps_ = seen_stamps_;  // of those that cannot be used, too: until they change again
  if (!renewed)
    return log::error("certificates have changed and cannot be used, those loaded before stay: {}", renewed.error());
  loaded_stamps_ = (*renewed)->tls_files;
  settings_ = *renewed;
  handoff::insist(
      [this] { workers_->each([this](Worker& worker) { worker.reconfigure(settings_, access_log_.get()); }); });
  log::info("certificates have changed: loaded anew");
}

}  // namespace baton::proxy
