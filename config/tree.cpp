#include "config/tree.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <unordered_map>

#include "config/mistakes.hpp"
#include "config/text.hpp"

namespace baton::config {
namespace {

// Thrown when the text cannot be read to the end.
struct Unreadable {
  YAML::Mark mark;
  std::string message;
};

// Builds the tree from the parser's events, which, unlike its nodes, still show duplicate keys.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string file, TreeOptions options) : file_(std::move(file)), options_(options) {}

  Tree take() { return {root_ ? std::move(*root_) : Node{.file = options_.file}, std::move(problems_), nodes_}; }

  // The offset of the last scalar, or of its anchor or tag.
  std::optional<std::size_t> last_scalar() const { return last_scalar_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (has_document_) throw Unreadable{mark, "a second YAML document; a configuration must be a single one"};
    has_document_ = true;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(node_at(mark), anchor, 1); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(mark, tag);
    last_scalar_ = static_cast<std::size_t>(mark.pos);
    Node node = node_at(mark);
    node.value = value;
    add(std::move(node), anchor, 1);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchored_.find(anchor);
    if (found == anchored_.end()) throw Unreadable{mark, "an alias must not be inside the value that it refers to"};
    count(mark, found->second.nodes);
    Node copy = found->second.node;
    copy.line = mark.line + 1;
    copy.column = mark.column + 1;
    add(std::move(copy), 0, 0);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::List());
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Map());
  }
  void OnMapEnd() override { close(); }

 private:
  // A list or mapping whose end has not come yet.
  struct Open {
    Node node;
    YAML::anchor_t anchor;
    std::size_t nodes_before;
    std::optional<Node> key;                     // of a mapping: its value comes next
    std::unordered_map<std::string, int> lines;  // of a mapping: the line of each key
  };
  struct Anchored {
    Node node;
    std::size_t nodes;
  };

  Node node_at(const YAML::Mark& mark) {
    count(mark, 1);
    return {.line = mark.line + 1, .column = mark.column + 1, .file = options_.file};
  }

  void count(const YAML::Mark& mark, std::size_t nodes) {
    nodes_ += nodes;
    if (nodes_ > options_.nodes_max) throw Unreadable{mark, fmt::format("more than {} values", nodes_max)};
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, auto value) {
    check_tag(mark, tag);
    if (open_.size() == depth_max) throw Unreadable{mark, fmt::format("nested more than {} levels deep", depth_max)};
    const std::size_t nodes_before = nodes_;
    Node node = node_at(mark);
    node.value = std::move(value);
    open_.push_back({std::move(node), anchor, nodes_before, {}, {}});
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    add(std::move(done.node), done.anchor, nodes_ - done.nodes_before);
  }

  void add(Node node, YAML::anchor_t anchor, std::size_t nodes) {
    if (anchor != 0) anchored_[anchor] = {node, nodes};
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (auto* list = std::get_if<Node::List>(&parent.node.value)) {
      list->push_back(std::move(node));
    } else if (!parent.key) {
      parent.key = std::move(node);
    } else {
      add_entry(parent, *std::exchange(parent.key, std::nullopt), std::move(node));
    }
  }

  // Leave out what is refused here, so that it is reported once.
  void add_entry(Open& parent, const Node& key, Node value) {
    const auto* text = std::get_if<std::string>(&key.value);
    if (!text) return problem(key, "a key must be text");
    if (*text == "<<") return problem(key, "merge keys (`<<`) are not supported; write the keys out");
    const auto [seen, is_new] = parent.lines.emplace(*text, key.line);
    if (!is_new) {
      return problem(key, fmt::format("duplicate key {} in line {}, first in line {}; keep one of them", quote(*text),
                                      key.line, seen->second));
    }
    // The parser positions an absent value at the next token, possibly lines below.
    if (std::holds_alternative<std::monostate>(value.value)) {
      value.line = key.line;
      value.column = key.column;
    }
    std::get<Node::Map>(parent.node.value).push_back({*text, key.line, key.column, std::move(value)});
  }

  // The parser tags plain values "?" and quoted ones "!".
  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    problem({.line = mark.line + 1, .column = mark.column + 1}, fmt::format("tags are not supported: {}", quote(tag)));
  }

  void problem(const Node& at, std::string message) {
    problems_.push_back({{file_, at.line, at.column}, std::move(message)});
  }

  std::string file_;
  TreeOptions options_;
  std::optional<Node> root_;
  std::optional<std::size_t> last_scalar_;
  Problems problems_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Anchored> anchored_;
  std::size_t nodes_ = 0;
  bool has_document_ = false;
};

Tree refused(const std::string& name, int line, int column, std::string message) {
  return {std::nullopt, {{{name, std::max(line, 1), std::max(column, 1)}, std::move(message)}}};
}

Tree refused_byte(std::string_view yaml, const std::string& name, std::size_t at) {
  const std::string_view before = yaml.substr(0, at);
  const auto line = 1 + std::ranges::count(before, '\n');
  const auto column = at - (before.rfind('\n') + 1) + 1;
  return refused(name, static_cast<int>(line), static_cast<int>(column),
                 fmt::format("the byte 0x{:02x} is not text; a configuration is UTF-8 without control characters",
                             static_cast<unsigned char>(yaml[at])));
}

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

}  // namespace

const Node* Node::find(std::string_view key) const {
  const auto* map = std::get_if<Map>(&value);
  if (!map) return nullptr;
  const auto found = std::ranges::find(*map, key, &Entry::key);
  return found == map->end() ? nullptr : &found->value;
}

Tree parse_tree(std::string_view yaml, const std::string& name, TreeOptions options) {
  const std::size_t bad = find_unprintable(yaml, false);
  if (bad != std::string_view::npos) return refused_byte(yaml, name, bad);
  if (yaml.starts_with(byte_order_mark)) yaml.remove_prefix(byte_order_mark.size());  // as the parser does
  TreeBuilder builder(name, options);
  const auto unclosed = [&] {
    return builder.last_scalar() ? unclosed_quote(yaml, *builder.last_scalar()) : std::nullopt;
  };
  try {
    std::istringstream stream{std::string(yaml)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    if (auto quote = unclosed()) return refused(name, quote->line, quote->column, std::move(quote->message));
    return builder.take();
  } catch (const Unreadable& error) {
    return refused(name, error.mark.line + 1, error.mark.column + 1, error.message);
  } catch (const YAML::Exception& error) {
    Mistake mistake = unclosed().value_or(explain(yaml, {error.mark.line + 1, error.mark.column + 1, error.msg}));
    return refused(name, mistake.line, mistake.column, std::move(mistake.message));
  }
}

}  // namespace baton::config
