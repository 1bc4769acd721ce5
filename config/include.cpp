#include "config/include.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <set>
#include <system_error>
#include <utility>

#include "config/matching_paths.hpp"
#include "config/schema.hpp"
#include "config/text.hpp"

namespace baton::config {
namespace {

constexpr std::array<std::string_view, 3> lists{"listeners", "routes", "upstreams"};
constexpr std::array<std::string_view, 4> keys_of_included{"listeners", "routes", "upstreams", "include"};

std::string reason(int error) {
  return std::generic_category().message(error);
}

std::string why_unreadable(const std::string& pattern, const UnreadableFolder& unreadable) {
  if (unreadable.folder.empty()) return fmt::format("{} matches too much", quote(pattern));
  return fmt::format("the folder {} cannot be read: {}", quote(unreadable.folder), reason(unreadable.error));
}

// A folder as a part of a pattern.
std::string escaped(const std::string& folder) {
  std::string pattern;
  for (const char c : folder) {
    if (std::string_view("*?[\\").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

// Whether a configuration is read from a stream, which has no folder, even if it now leads to a file.
bool is_stream(const std::string& path) {
  struct stat status{};
  const bool is_file = stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
  return !is_file || path.starts_with("/dev/") || path.starts_with("/proc/");
}

Entry* find_entry(Node& root, std::string_view key) {
  auto* map = std::get_if<Node::Map>(&root.value);
  if (!map) return nullptr;
  const auto found = std::ranges::find(*map, key, &Entry::key);
  return found == map->end() ? nullptr : &*found;
}

class Inclusion {
 public:
  Inclusion(Reader& reader, Node& root, std::size_t nodes, std::vector<Source>& sources)
      : reader_(reader), root_(root), nodes_(nodes), sources_(sources), bytes_(sources.front().text.size()) {
    struct stat status{};
    if (!sources.front().beside.empty()) return;
    if (stat(sources.front().name.c_str(), &status) == 0) seen_.emplace(status.st_dev, status.st_ino);
  }

  // Reads what `node`, the `include` of the file `from`, names. Returns false if that is too much.
  bool follow(const Node& node, const std::string& from) {
    for (const Node& item : reader_.one_or_list(node)) {
      const auto text = written(item);
      if (!text) continue;
      if (!text->starts_with('/') && is_stream(from)) {
        refuse(item, fmt::format("{} is relative to the folder of a file, but the configuration is read from {}; write "
                                 "an absolute path",
                                 quote(*text), quote(from)));
        continue;
      }
      const std::filesystem::path folder = std::filesystem::path(from).parent_path();
      const bool names_a_file = ::access((folder / *text).c_str(), F_OK) == 0;
      const auto paths = is_pattern(*text) && !names_a_file
                             ? matching_paths((std::filesystem::path(escaped(folder)) / *text).string())
                             : std::vector{(folder / *text).string()};
      if (!paths) {
        refuse(item, why_unreadable(*text, paths.error()));
        continue;
      }
      for (const std::string& one : *paths) {
        if (!add(item, one)) return false;
      }
    }
    return true;
  }

 private:
  // The key is named again for each file, since a file may include others.
  void refuse(const Node& item, const std::string& message) {
    const Reader::UnderKey under_key(reader_, "include");
    reader_.refuse(item, message);
  }

  std::optional<std::string> written(const Node& item) {
    const Reader::UnderKey under_key(reader_, "include");
    auto text = reader_.text(item);
    if (text && text->empty()) {
      reader_.refuse(item, "expected a file, or a pattern such as `conf.d/*.yaml`");
      return std::nullopt;
    }
    return text;
  }

  bool add(const Node& item, const std::string& path) {
    struct stat status{};
    if (stat(path.c_str(), &status) != 0) return refuse(item, cannot_be_read(path, reason(errno))), true;
    if (!seen_.emplace(status.st_dev, status.st_ino).second) return true;
    if (!S_ISREG(status.st_mode)) return refuse(item, quote(path) + " is not a regular file"), true;
    if (sources_.size() == files_max) {
      refuse(item,
             fmt::format("{} would be one file too many: a configuration has at most {}", quote(path), files_max));
      return false;
    }
    auto text = read_source(path);
    if (!text) return refuse(item, cannot_be_read(path, text.error())), true;
    bytes_ += text->size();
    if (bytes_ > all_files_bytes_max) {
      refuse(item, fmt::format("with {} the configuration is larger than 4 MiB", quote(path)));
      return false;
    }
    sources_.push_back({path, *std::move(text)});
    return add_last();
  }

  static std::string cannot_be_read(const std::string& path, const std::string& why) {
    return fmt::format("{} cannot be read: {}", quote(path), why);
  }

  bool add_last() {
    const std::string name = sources_.back().name;
    const int file = reader_.add_file(name);
    const std::string& text = sources_.back().text;
    if (text.size() > file_bytes_max) {
      reader_.report({.file = name}, std::string(too_large));
      return true;
    }
    Tree tree = parse_tree(text, name, {.file = file, .nodes_max = nodes_max - nodes_});
    nodes_ += tree.nodes;
    for (Problem& problem : tree.problems) reader_.report(std::move(problem.where), std::move(problem.message));
    return !tree.root || merge(*tree.root, name);
  }

  bool merge(Node& root, const std::string& name) {
    if (!as_map(root)) return reader_.refuse_no_map(root, keys_of_included, ""), true;
    if (auto* map = std::get_if<Node::Map>(&root.value)) check_keys(*map);
    for (const std::string_view list : lists) {
      if (Entry* entry = find_entry(root, list)) append(list, *entry);
    }
    const Node* include = root.find("include");
    return !include || follow(*include, name);
  }

  void check_keys(const Node::Map& map) {
    for (const Entry& entry : map) {
      if (std::ranges::find(keys_of_included, entry.key) != keys_of_included.end()) continue;
      const auto known = known_keys();
      if (std::ranges::find(known, entry.key, &KnownKey::path) == known.end()) {
        reader_.refuse_unknown_key(entry, "in an included file", keys_of_included);
      } else {
        reader_.report(reader_.position(entry),
                       fmt::format("`{}` cannot stand in an included file, which may have only `listeners`, `routes`, "
                                   "`upstreams` and `include`",
                                   entry.key));
      }
    }
  }

  // Appends a list to that of the whole configuration. A key without a list adds nothing, but without further entries
  // it is as wrong as in one file.
  void append(std::string_view list, Entry& added) {
    const bool is_missing = std::holds_alternative<std::monostate>(added.value.value);
    auto* entries = std::get_if<Node::List>(&added.value.value);
    if (!entries && !is_missing) {
      const Reader::UnderKey under_key(reader_, list);
      return reader_.refuse(added.value, "expected a list");
    }
    Entry* whole = find_entry(root_, list);
    if (!whole) {
      if (std::holds_alternative<std::monostate>(root_.value)) root_.value = Node::Map();
      if (auto* map = std::get_if<Node::Map>(&root_.value)) map->push_back(std::move(added));
      return;
    }
    if (is_missing) return;
    if (std::holds_alternative<std::monostate>(whole->value.value)) whole->value.value = Node::List();
    if (auto* all = std::get_if<Node::List>(&whole->value.value)) std::ranges::move(*entries, std::back_inserter(*all));
  }

  Reader& reader_;
  Node& root_;
  std::size_t nodes_;
  std::vector<Source>& sources_;
  std::size_t bytes_;
  std::set<std::pair<dev_t, ino_t>> seen_;
};

}  // namespace

std::expected<std::string, std::string> read_source(const std::string& path) {
  const auto failed = [] { return std::unexpected(reason(errno)); };
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return failed();
  std::string text;
  ssize_t got = 0;
  do {
    char part[16 * kibi];
    got = read(descriptor, part, sizeof part);
    if (got > 0) text.append(part, static_cast<std::size_t>(got));
  } while (got > 0 ? text.size() <= file_bytes_max : got < 0 && errno == EINTR);
  const auto outcome = got < 0 ? failed() : std::expected<std::string, std::string>(std::move(text));
  close(descriptor);
  return outcome;
}

void add_included(Reader& reader, Node& root, std::size_t nodes, std::vector<Source>& sources) {
  const Node* include = root.find("include");
  if (!include) return;
  // The list of the whole configuration may move while files are added.
  const Node patterns = *include;
  const Source& first = sources.front();
  const std::string from = first.beside.empty() ? first.name : first.beside;
  Inclusion(reader, root, nodes, sources).follow(patterns, from);
}

}  // namespace baton::config
