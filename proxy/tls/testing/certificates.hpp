// Generates certificates for tests, and PEM files that hold them.
#pragma once

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include <unistd.h>

#include "certificates/certificates.hpp"
#include "config/config.hpp"

namespace baton::tls::test {

using certificates::issue;
using certificates::Issued;
using certificates::KeyType;

inline const Issued& authority() {
  static const Issued authority = issue({.common_name = "Test Authority", .is_authority = true, .until_s = 86'400});
  return authority;
}

// A folder that is removed with this object.
class Files {
 public:
  Files() {
    std::string name = (std::filesystem::temp_directory_path() / "baton-tls-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder can be made in " + name);
    folder_ = name;
  }
  ~Files() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  // A file as a configuration would name it, at a place that is recognised by its line.
  config::File write(const std::string& name, const std::string& text, int line = 1) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return missing(name, line);
  }
  config::File missing(const std::string& name, int line = 1) const {
    return {(folder_ / name).string(), {"baton.yaml", line, 5}};
  }
  config::Certificate write(const std::string& name, const Issued& issued, int line = 1) const {
    return {write(name + ".pem", issued.certificate_pem(), line), write(name + ".key", issued.key_pem(), line + 1)};
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace baton::tls::test
