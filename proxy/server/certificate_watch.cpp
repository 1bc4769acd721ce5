#include "proxy/server/certificate_watch.hpp"

#include <exception>
#include <utility>

#include "handoff/result.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/server/timer.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

constexpr std::chrono::seconds look_at_files_every(1);
constexpr std::chrono::minutes look_at_dates_every(1);

}  // namespace

void CertificateWatch::watch() {
  timer_.cancel();
  const Settings& settings = *parts_.data_path.settings();
  loaded_stamps_ = seen_stamps_ = settings.tls_files;
  if (watches_certificates(settings.config)) look_later();
  remind();
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
  parts_.background.run([this, settings = parts_.data_path.settings()]() -> Background::Rest {
    return [this, settings, stamps = stamps_of_tls(settings->config)]() mutable {
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
  const std::shared_ptr<const Settings> before = parts_.data_path.settings();
  parts_.data_path.refresh(*renewed);
  log_notes(**renewed, before.get());
  if (!have_same_certificates(**renewed, *before)) log::info("certificates have changed: reloaded");
  remind();
}

// The clock of dates may be set, so the time until the next day is not computed but looked at.
void CertificateWatch::remind_daily(bool inherits) {
  if (inherits) due();
  remind();
  call_after(reminder_timer_, look_at_dates_every, [this] { remind_daily(false); });
}

std::vector<tls::Reminders::Reminder> CertificateWatch::due() {
  std::vector<tls::Validity> certificates;
  for (const auto& [listener, context] : parts_.data_path.settings()->tls) {
    for (const auto& identity : context->identities()) certificates.push_back(tls::validity_of(*identity));
  }
  return reminders_.due(certificates, runtime::unix_us() / 1'000'000);
}

void CertificateWatch::remind() {
  if (!parts_.role.is_serving()) return;
  for (const auto& reminder : due()) {
    using log::Level;
    log::format_and_write(reminder.has_expired ? Level::error : Level::warning, "{}", reminder.text);
  }
}

}  // namespace baton::proxy
