#include "config/changes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "config/load.hpp"
#include "config/tree.hpp"

namespace baton::config {
namespace {

// A configuration as `print` writes it has every key, with its default resolved, always in the same form. So its values
// are compared key by key, and no key can be forgotten here.
Node tree_of(const Config& config) {
  const std::string text = print(config);
  Tree tree = parse_tree(text, "", {.nodes_max = std::max(nodes_max, text.size())});
  return tree.root ? *std::move(tree.root) : Node();
}

bool is_same(const Node& one, const Node& other);

bool is_same(const Node::Map& one, const Node::Map& other) {
  return std::ranges::equal(one, other,
                            [](const Entry& a, const Entry& b) { return a.key == b.key && is_same(a.value, b.value); });
}

bool is_same(const Node& one, const Node& other) {
  if (one.value.index() != other.value.index()) return false;
  if (const auto* text = std::get_if<std::string>(&one.value)) return *text == std::get<std::string>(other.value);
  if (const auto* map = std::get_if<Node::Map>(&one.value)) return is_same(*map, std::get<Node::Map>(other.value));
  const auto* list = std::get_if<Node::List>(&one.value);
  return !list || std::ranges::equal(*list, std::get<Node::List>(other.value),
                                     [](const Node& a, const Node& b) { return is_same(a, b); });
}

// The paths of what differs, a list being one value. A key that one side lacks differs whole.
void add_differences(const Node* from, const Node* to, const std::string& path, const std::set<std::string_view>& but,
                     std::vector<std::string>& keys) {
  const auto* before = from ? std::get_if<Node::Map>(&from->value) : nullptr;
  const auto* after = to ? std::get_if<Node::Map>(&to->value) : nullptr;
  if (!before || !after) {
    if (!from || !to || !is_same(*from, *to)) keys.push_back(path);
    return;
  }
  const auto below = [&path](const std::string& key) { return path.empty() ? key : path + "." + key; };
  for (const Entry& entry : *before) {
    if (!but.contains(entry.key)) add_differences(&entry.value, to->find(entry.key), below(entry.key), {}, keys);
  }
  for (const Entry& entry : *after) {
    if (!but.contains(entry.key) && !from->find(entry.key)) keys.push_back(below(entry.key));
  }
}

struct Named {
  std::string name;
  const Node* node = nullptr;
};

const Node* item(const Node* list, std::size_t i) {
  const auto* items = list ? std::get_if<Node::List>(&list->value) : nullptr;
  return items && i < items->size() ? &(*items)[i] : nullptr;
}

// The entries of a list of the configuration, which `print` writes in the same order.
template <class Entries, class Name>
std::vector<Named> named(const Entries& entries, const Node* list, Name name) {
  std::vector<Named> result;
  for (std::size_t i = 0; i < entries.size(); ++i) result.push_back({name(entries[i]), item(list, i)});
  return result;
}

std::map<std::string_view, const Node*> by_name(const std::vector<Named>& entries) {
  std::map<std::string_view, const Node*> found;
  for (const Named& one : entries) found.emplace(one.name, one.node);
  return found;
}

// Whether entries that are in both are in another order.
bool is_reordered(const std::vector<Named>& from, const std::vector<Named>& to) {
  const auto common = [](const std::vector<Named>& entries, const auto& others) {
    std::vector<std::string_view> names;
    for (const Named& one : entries) {
      if (others.contains(one.name)) names.push_back(one.name);
    }
    return names;
  };
  return common(from, by_name(to)) != common(to, by_name(from));
}

class Comparison {
 public:
  Comparison(const Config& from, const Config& to)
      : from_(from), to_(to), before_(tree_of(from)), after_(tree_of(to)) {}

  std::vector<Change> run() {
    const auto name = [](const auto& one) { return one.name; };
    compare(Change::What::listener, named(from_.listeners, before_.find("listeners"), name),
            named(to_.listeners, after_.find("listeners"), name), {});
    const auto label = [](const Route& route) { return route.label(); };
    const auto routes_before = named(from_.routes, before_.find("routes"), label);
    const auto routes_after = named(to_.routes, after_.find("routes"), label);
    compare(Change::What::route, routes_before, routes_after, {});
    compare_upstreams();
    // Order decides between routes that are equally specific.
    if (is_reordered(routes_before, routes_after)) add_setting("routes", {"order"});
    std::vector<std::string> keys;
    add_differences(&before_, &after_, "", {"listeners", "routes", "upstreams"}, keys);
    for (std::string& key : keys) add_setting(std::move(key), {});
    return std::move(changes_);
  }

 private:
  void add_setting(std::string name, std::vector<std::string> keys) {
    changes_.push_back({.what = Change::What::setting, .name = std::move(name), .keys = std::move(keys)});
  }

  void compare(Change::What what, const std::vector<Named>& from, const std::vector<Named>& to,
               const std::set<std::string_view>& but) {
    const auto before = by_name(from);
    const auto after = by_name(to);
    for (const Named& one : from) {
      const auto now = after.find(one.name);
      if (now == after.end()) {
        changes_.push_back({.what = what, .name = one.name, .how = Change::How::removed});
        continue;
      }
      std::vector<std::string> keys;
      add_differences(one.node, now->second, "", but, keys);
      if (!keys.empty()) changes_.push_back({.what = what, .name = one.name, .keys = std::move(keys)});
    }
    for (const Named& one : to) {
      if (!before.contains(one.name)) changes_.push_back({.what = what, .name = one.name, .how = Change::How::added});
    }
  }

  void compare_upstreams() {
    const auto name = [](const auto& one) { return one.name; };
    compare(Change::What::upstream, named(from_.upstreams, before_.find("upstreams"), name),
            named(to_.upstreams, after_.find("upstreams"), name), {"servers"});
    const auto servers_of = [](const Config& config, const Node& tree) {
      std::vector<Named> all;
      for (std::size_t i = 0; i < config.upstreams.size(); ++i) {
        const Upstream& upstream = config.upstreams[i];
        const Node* node = item(tree.find("upstreams"), i);
        std::ranges::move(named(upstream.servers, node ? node->find("servers") : nullptr,
                                [&](const Server& server) { return upstream.name + "/" + server.address.text(); }),
                          std::back_inserter(all));
      }
      return all;
    };
    compare(Change::What::server, servers_of(from_, before_), servers_of(to_, after_), {});
  }

  const Config& from_;
  const Config& to_;
  const Node before_;
  const Node after_;
  std::vector<Change> changes_;
};

}  // namespace

std::vector<Change> changes(const Config& from, const Config& to) {
  return Comparison(from, to).run();
}

std::string_view name_of(Change::What what) {
  switch (what) {
    case Change::What::listener:
      return "listener";
    case Change::What::route:
      return "route";
    case Change::What::upstream:
      return "upstream";
    case Change::What::server:
      return "server";
    case Change::What::setting:
      return "setting";
  }
  return "";
}

std::string_view name_of(Change::How how) {
  switch (how) {
    case Change::How::added:
      return "added";
    case Change::How::removed:
      return "removed";
    case Change::How::changed:
      return "changed";
  }
  return "";
}

std::string text_of(const std::vector<Change>& changes) {
  std::string text;
  for (const Change& change : changes) {
    text +=
        fmt::format("{}{} {} `{}`", text.empty() ? "" : "\n", name_of(change.how), name_of(change.what), change.name);
    for (std::size_t i = 0; i < change.keys.size(); ++i) text += (i == 0 ? ": " : ", ") + change.keys[i];
  }
  return text.empty() ? "no change" : text;
}

}  // namespace baton::config
