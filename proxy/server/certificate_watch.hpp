// Reads certificates again when their files change, as `watch` says, and reminds operators of those that expire. Runs
// in the main thread; the disk is read off it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "proxy/process/file_stamps.hpp"
#include "proxy/server/background.hpp"
#include "proxy/server/data_path.hpp"
#include "proxy/server/role.hpp"
#include "proxy/tls/certificate_expiry.hpp"

namespace baton::proxy {

class CertificateWatch {
 public:
  struct Parts {  // all outlive it
    const Role& role;
    DataPath& data_path;
    Background& background;
  };
  CertificateWatch(boost::asio::io_context& context, Parts parts)
      : parts_(parts), timer_(context), reminder_timer_(context) {}

  // Watches those of the current settings from now on.
  void watch();
  // Reminds of the certificates that expire, now and each day. `inherits`: a predecessor has done that today.
  void remind_daily(bool inherits);

 private:
  using Renewed = std::expected<std::shared_ptr<const Settings>, std::string>;

  void look_later();
  void look();
  void seen(std::vector<process::FileStamp> stamps);
  void loaded(const Renewed& renewed);
  std::vector<tls::Reminders::Reminder> due();
  void remind();

  const Parts parts_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer reminder_timer_;
  tls::Reminders reminders_;
  std::vector<process::FileStamp> loaded_stamps_;
  std::vector<process::FileStamp> seen_stamps_;  // at the last look
  bool is_looking_ = false;                      // in the background
};

}  // namespace baton::proxy
