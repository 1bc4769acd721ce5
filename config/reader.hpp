// Turns the nodes of a tree into values and collects problems. Reading continues after a problem.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/load.hpp"
#include "config/names.hpp"
#include "config/scalars.hpp"
#include "config/tree.hpp"

namespace baton::config {

// nullptr: the node is not a mapping. An absent value is an empty mapping.
const Node::Map* as_map(const Node& node);

class Reader {
 public:
  Reader(std::string file, Environment environment) : files_{std::move(file)}, environment_(environment) {}

  // A further file, whose nodes have the number that it gets. The first one is 0.
  int add_file(std::string name) {
    files_.push_back(std::move(name));
    return static_cast<int>(files_.size() - 1);
  }
  const std::vector<std::string>& files() const { return files_; }

  // Problems reported within the scope begin with this key.
  class UnderKey {
   public:
    UnderKey(Reader& reader, std::string_view key) : reader_(reader), outer_(std::exchange(reader.key_, key)) {}
    ~UnderKey() { reader_.key_ = outer_; }
    UnderKey(const UnderKey&) = delete;
    UnderKey& operator=(const UnderKey&) = delete;

   private:
    Reader& reader_;  // outlives the scope
    std::string_view outer_;
  };

  Position position(const Node& node) const { return {file_of(node), node.line, node.column}; }
  // Of the key.
  Position position(const Entry& entry) const { return {file_of(entry.value), entry.line, entry.column}; }

  // A problem with the value of the current key, and one whose message is complete.
  void refuse(const Node& node, const std::string& message);
  void report(Position where, std::string message) { problems_.push_back({std::move(where), std::move(message)}); }

  // Which of the known keys was probably meant; nothing: unclear.
  std::optional<std::string_view> refuse_unknown_key(const Entry& entry, std::string_view place,
                                                     std::span<const std::string_view> known);
  void refuse_unsupported_key(const Entry& entry, std::string_view place);
  void refuse_global_key(const Entry& entry, std::string_view place, std::string_view why);
  void refuse_unsupported_value(const Node& node, std::string_view value);
  void refuse_missing_key(const Node& node, std::string_view place, std::string_view key);

  // `meant` is the mapping that was probably meant; empty: unclear.
  void refuse_no_map(const Node& node, std::span<const std::string_view> known, const std::string& meant);

  // Nothing: the node is something else, which has been reported.
  std::optional<std::span<const Node>> list(const Node& node, std::string_view example);
  // A node that is not a list counts as a list of one.
  std::span<const Node> one_or_list(const Node& node);

  // The text of a value with environment references expanded.
  std::optional<std::string> text(const Node& node) { return text(node, true); }
  // The same for a value that may have several lines.
  std::optional<std::string> lines(const Node& node) { return text(node, false); }
  // The same as `text` for a value that may be `auto`, for which it leaves `to` unchanged and returns nothing.
  std::optional<std::string> text_unless_auto(const Node& node);

  // The absolute path of a file, and the same for a value that may be `auto`.
  std::optional<File> file(const Node& node) { return file_at(node, text(node)); }
  std::optional<File> file_unless_auto(const Node& node) { return file_at(node, text_unless_auto(node)); }

  // One of the words of a table. `later` are those of later versions: refused as such and never offered.
  template <class Value, std::size_t size>
  std::optional<Value> choice(const Node& node, const Name<Value> (&names)[size],
                              std::span<const std::string_view> later = {});

  // Stores a parsed value or reports why there is none.
  template <class To, class From>
  void assign(To& to, const Node& node, Parsed<From> parsed) {
    if (parsed) {
      to = *std::move(parsed);
    } else {
      refuse(node, parsed.error());
    }
  }

  std::size_t problem_count() const { return problems_.size(); }
  Problems take_problems() { return std::move(problems_); }

 private:
  std::optional<std::string> text(const Node& node, bool one_line);
  std::optional<File> file_at(const Node& node, const std::optional<std::string>& path);
  std::optional<std::size_t> choose(const Node& node, std::span<const std::string_view> words,
                                    std::span<const std::string_view> later);

  const std::string& file_of(const Node& node) const { return files_[static_cast<std::size_t>(node.file)]; }

  std::vector<std::string> files_;
  Environment environment_;
  std::string_view key_;
  Problems problems_;
};

template <class Value, std::size_t size>
std::optional<Value> Reader::choice(const Node& node, const Name<Value> (&names)[size],
                                     std::span<const std::string_view> later) {
  std::string_view words[size];
  std::ranges::transform(names, words, &Name<Value>::text);
  const auto chosen = choose(node, words, later);
  if (!chosen) return std::nullopt;
  return names[*chosen].value;
}

}  // namespace baton::config
