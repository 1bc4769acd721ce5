#include "proxy/tls/certificate_folders.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <expected>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include "config/matching_paths.hpp"

namespace baton::tls {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

// Their names, or errno.
std::expected<std::set<std::string>, int> files_in(const std::string& folder) {
  const std::unique_ptr<DIR, CloseFolder> open(::opendir(folder.c_str()));
  if (!open) return std::unexpected(errno);
  std::set<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(open.get());
    if (entry == nullptr && errno != 0) return std::unexpected(errno);
    if (entry == nullptr) return names;
    if (entry->d_name[0] != '.') names.emplace(entry->d_name);
  }
}

// Certificates and their keys, by name.
std::vector<std::pair<std::string, std::string>> pairs_among(const std::set<std::string>& names) {
  std::vector<std::pair<std::string, std::string>> pairs;
  constexpr std::string_view key = ".key";
  for (const std::string& name : names) {
    if (name == "fullchain.pem" && names.contains("privkey.pem")) pairs.emplace_back(name, "privkey.pem");
    if (!name.ends_with(key)) continue;
    const std::string stem = name.substr(0, name.size() - key.size());
    for (const char* const ending : {".crt", ".pem"}) {
      if (!names.contains(stem + ending)) continue;
      pairs.emplace_back(stem + ending, name);
      break;
    }
  }
  std::ranges::sort(pairs);
  return pairs;
}

class Search {
 public:
  void follow(const config::File& written) {
    const auto paths = config::matching_paths(written.path + "/");
    if (!paths) {
      const config::UnreadableFolder& failed = paths.error();
      return note_unreadable({failed.folder.empty() ? written.path : failed.folder, written.where},
                             failed.folder.empty() ? ENOMEM : failed.error);
    }
    if (paths->empty()) return note_missing(written);
    // Without the slashes, so that a.example comes before a.example-0001.
    std::set<std::string> folders;
    for (const std::string& path : *paths) folders.insert(path.substr(0, path.find_last_not_of('/') + 1));
    for (const std::string& folder : folders) look_into({folder, written.where});
  }

  FoundPairs found;

 private:
  // A pattern says nothing of why it matches nothing; a path does.
  void note_missing(const config::File& written) {
    struct stat status{};
    const bool is_there = ::stat(written.path.c_str(), &status) == 0;
    if (is_there && !S_ISDIR(status.st_mode)) return note_unreadable(written, ENOTDIR);
    if (!is_there && !config::is_pattern(written.path) && errno != ENOENT) return note_unreadable(written, errno);
    found.without.push_back(written);
  }

  void look_into(const config::File& folder) {
    const auto names = files_in(folder.path);
    if (!names && names.error() == ENOENT) return;  // it has just been removed
    if (!names) return note_unreadable(folder, names.error());
    const auto pairs = pairs_among(*names);
    if (pairs.empty()) found.without.push_back(folder);
    for (const auto& [certificate, key] : pairs) {
      config::Certificate pair{.cert = {folder.path + "/" + certificate, folder.where},
                               .key = {folder.path + "/" + key, folder.where}};
      if (seen_.emplace(pair.cert.path, pair.key.path).second) found.pairs.push_back(std::move(pair));
    }
  }

  void note_unreadable(config::File folder, int error) { found.unreadable.push_back({std::move(folder), error}); }

  std::set<std::pair<std::string, std::string>> seen_;
};

}  // namespace

FoundPairs find_pairs(const std::vector<config::File>& folders) {
  Search search;
  for (const config::File& folder : folders) search.follow(folder);
  return std::move(search.found);
}

}  // namespace baton::tls
