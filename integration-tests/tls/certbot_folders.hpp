// Folders of certificates as certbot makes them: live/NAME has links into archive/NAME, and READMEs.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "harness/certificates.hpp"
#include "harness/temp_dir.hpp"

namespace baton::harness {

class CertbotFolders {
 public:
  explicit CertbotFolders(const std::filesystem::path& root) : root_(root) {
    std::filesystem::create_directories(root_ / "live");
    std::filesystem::create_directories(root_ / "archive");
    write(root_ / "live/README", "This directory contains your keys and certificates.\n");
  }

  // The first certificate of this name, or a renewal: certbot writes new files and replaces one link after the other.
  void install(const std::string& name, const Certificate& certificate) {
    const std::filesystem::path live = root_ / "live" / name;
    const std::filesystem::path archive = root_ / "archive" / name;
    std::filesystem::create_directories(live);
    std::filesystem::create_directories(archive);
    write(live / "README", "This directory contains your keys and certificates.\n");
    const std::string number = std::to_string(++installed_[name]) + ".pem";
    write(archive / ("privkey" + number), read_file(certificate.key));
    for (const char* kind : {"cert", "chain", "fullchain"})
      write(archive / (kind + number), read_file(certificate.cert));
    for (const std::string kind : {"cert", "privkey", "chain", "fullchain"}) {
      const std::filesystem::path link = live / (kind + ".pem");
      std::filesystem::remove(link);
      std::filesystem::create_symlink("../../archive/" + name + "/" + kind + number, link);
    }
  }
  // As `certbot delete`.
  void remove(const std::string& name) {
    std::filesystem::remove_all(root_ / "live" / name);
    std::filesystem::remove_all(root_ / "archive" / name);
  }

  std::string pattern() const { return root_ / "live/*/"; }
  // As the value of `tls`.
  std::string yaml() const { return "certificates: [ { folder: \"" + pattern() + "\" } ]"; }
  std::string path(const std::string& name) const { return root_ / "live" / name / "fullchain.pem"; }

 private:
  static void write(const std::filesystem::path& path, const std::string& text) { replace_file(path, text); }

  const std::filesystem::path root_;
  std::map<std::string, int> installed_;
};

}  // namespace baton::harness
