// `watch: true`: certificates, keys and CAs are reloaded when their files change. Runs in the main thread; the disk is
// read off it.
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

namespace baton::proxy {

class CertificateWatch {
 public:
  struct Parts {  // all outlive it
    const Role& role;
    DataPath& data_path;
    Background& background;
  };
  CertificateWatch(boost::asio::io_context& context, Parts parts) : parts_(parts), timer_(context) {}

  // Watches those of the current settings from now on.
  void watch();

 private:
  using Renewed = std::expected<std::shared_ptr<const Settings>, std::string>;

  void look_later();
  void look();
  void seen(std::vector<process::FileStamp> stamps);
  void loaded(const Renewed& renewed);

  const Parts parts_;
  boost::asio::steady_timer timer_;
  std::vector<std::string> files_;
  std::vector<process::FileStamp> loaded_stamps_;
  std::vector<process::FileStamp> seen_stamps_;  // at the last look
  bool is_looking_ = false;                      // in the background
};

}  // namespace baton::proxy
