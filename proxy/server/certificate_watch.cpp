#include "proxy/server/certificate_watch.hpp"

#include <exception>
#include <utility>

#include "handoff/result.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/server/timer.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

constexpr std::chrono::seconds look_at_files_every(1);

}  // namespace

void CertificateWatch::watch() {
  timer_.cancel();
  files_.clear();
  const Settings& settings = *parts_.data_path.settings();
  if (settings.config.watch) {
    for (const auto& file : settings.tls_files) files_.push_back(file.path);
  }
  loaded_stamps_ = seen_stamps_ = settings.tls_files;
  if (!files_.empty()) look_later();
}

void CertificateWatch::look_later() {
  call_after(timer_, look_at_files_every, [this] {
    look_later();
    look();
  });
}

// The result is used only if nothing else has changed the settings meanwhile. A look that takes longer than a second
// delays the next one.
void CertificateWatch::look() {
  // During a handover the workers keep what they have; afterwards the instance looks.
  if (!parts_.role.is_serving() || is_looking_) return;
  parts_.background.run([this, files = files_, settings = parts_.data_path.settings()]() -> Background::Rest {
    return [this, settings, stamps = process::stamps_of(files)]() mutable {
      is_looking_ = false;
      if (settings == parts_.data_path.settings()) seen(std::move(stamps));
    };
  });
  is_looking_ = true;
}

void CertificateWatch::seen(std::vector<process::FileStamp> stamps) {
  // A certificate and its key are two files: wait until nothing changes any more.
  const auto before = std::exchange(seen_stamps_, std::move(stamps));
  if (seen_stamps_ != before || seen_stamps_ == loaded_stamps_) return;
  parts_.background.run([this, settings = parts_.data_path.settings()]() -> Background::Rest {
    Renewed renewed;
    try {
      renewed = with_new_certificates(*settings);
    } catch (const std::exception& error) {
      renewed = std::unexpected(handoff::describe(error));
    }
    return [this, settings, renewed = std::move(renewed)] {
      is_looking_ = false;
      if (settings == parts_.data_path.settings() && parts_.role.is_serving()) loaded(renewed);
    };
  });
  is_looking_ = true;
}

void CertificateWatch::loaded(const Renewed& renewed) {
  loaded_stamps_ = seen_stamps_;  // unusable ones, too, so that they are not tried until they change again
  if (!renewed)
    return log::error("certificates have changed but cannot be used, the previous ones stay: {}", renewed.error());
  loaded_stamps_ = (*renewed)->tls_files;
  parts_.data_path.refresh(*renewed);
  log::info("certificates have changed: reloaded");
}

}  // namespace baton::proxy
