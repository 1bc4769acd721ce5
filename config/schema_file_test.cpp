// Compares schema.json, which editors use, with the loader: the same keys, and what it refuses the loader refuses.
#include <gtest/gtest.h>
// ECMAScript, as the schema says; its own expressions are fewer.
#define RAPIDJSON_SCHEMA_USE_INTERNALREGEX 0
#include <rapidjson/document.h>
#include <rapidjson/pointer.h>
#include <rapidjson/schema.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <vector>

#include "config/schema.hpp"
#include "config/testing/documents.hpp"
#include "config/testing/example.hpp"
#include "config/testing/load.hpp"
#include "config/testing/paths.hpp"

namespace baton::config {
namespace {

namespace json = rapidjson;

const json::Document& schema() {
  static const json::Document document = [] {
    std::stringstream text;
    text << std::ifstream(BATON_SCHEMA).rdbuf();
    json::Document parsed;
    parsed.Parse(text.str().c_str());
    if (parsed.HasParseError()) ADD_FAILURE() << "schema.json is no JSON, at byte " << parsed.GetErrorOffset();
    return parsed;
  }();
  return document;
}

// Where the schema refuses the document; empty: it does not.
std::string refused_at(const json::Value& document) {
  static const json::SchemaDocument compiled(schema());
  json::SchemaValidator validator(compiled);
  if (document.Accept(validator)) return {};
  json::StringBuffer where;
  validator.GetInvalidDocumentPointer().StringifyUriFragment(where);
  return std::string(where.GetString()) + " by " + validator.GetInvalidSchemaKeyword();
}

std::string text_of(const json::Value& value) {
  json::StringBuffer text;
  json::Writer<json::StringBuffer> writer(text);
  value.Accept(writer);
  return text.GetString();
}

// ── YAML as editors read it: by the core schema of YAML 1.2
// ───────────────────────────────────────────────────────────

json::Value plain_value(const std::string& text, json::Document::AllocatorType& allocator) {
  static const std::regex null("|~|null|Null|NULL");
  static const std::regex yes("true|True|TRUE");
  static const std::regex no("false|False|FALSE");
  static const std::regex whole("[-+]?[0-9]{1,18}");
  static const std::regex real(R"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)");
  if (std::regex_match(text, null)) return json::Value();
  if (std::regex_match(text, yes)) return json::Value(true);
  if (std::regex_match(text, no)) return json::Value(false);
  if (std::regex_match(text, whole)) return json::Value(static_cast<std::int64_t>(std::stoll(text)));
  if (std::regex_match(text, real)) return json::Value(std::stod(text));
  return json::Value(text.c_str(), allocator);
}

json::Value as_json(const YAML::Node& node, json::Document::AllocatorType& allocator) {
  json::Value value;
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return node.Tag() == "?" ? plain_value(node.Scalar(), allocator) : json::Value(node.Scalar().c_str(), allocator);
    case YAML::NodeType::Sequence:
      value.SetArray();
      for (const YAML::Node& item : node) value.PushBack(as_json(item, allocator), allocator);
      return value;
    case YAML::NodeType::Map:
      value.SetObject();
      for (const auto& entry : node) {
        value.AddMember(json::Value(entry.first.Scalar().c_str(), allocator), as_json(entry.second, allocator),
                        allocator);
      }
      return value;
    default:
      return value;
  }
}

json::Document read(const std::string& yaml) {
  json::Document document;
  document.CopyFrom(as_json(YAML::Load(yaml), document.GetAllocator()), document.GetAllocator());
  return document;
}

// ── What the schema says of a key
// ─────────────────────────────────────────────────────────────────────────────────────

// Calls `visit` with the schema and each of its alternatives.
void each_form(const json::Value& form, const std::function<void(const json::Value&)>& visit) {
  if (!form.IsObject()) return;
  if (form.HasMember("$ref")) {
    const auto* target = json::Pointer(std::string(form["$ref"].GetString()).c_str()).Get(schema());
    if (target == nullptr) return void(ADD_FAILURE() << "no " << form["$ref"].GetString());
    return each_form(*target, visit);
  }
  visit(form);
  for (const char* choice : {"allOf", "anyOf"}) {
    if (!form.HasMember(choice)) continue;
    for (const json::Value& one : form[choice].GetArray()) each_form(one, visit);
  }
}

// Calls `visit` with the path and schema of every key.
void each_key(const json::Value& form, const std::string& prefix,
              const std::function<void(const std::string&, const json::Value&)>& visit) {
  each_form(form, [&](const json::Value& one) {
    if (one.HasMember("items")) each_key(one["items"], prefix, visit);
    if (!one.HasMember("properties")) return;
    EXPECT_TRUE(one.HasMember("additionalProperties") && one["additionalProperties"].IsFalse()) << prefix;
    for (const auto& property : one["properties"].GetObject()) {
      const std::string path = prefix + property.name.GetString();
      visit(path, property.value);
      each_key(property.value, path + ".", visit);
    }
  });
}

TEST(SchemaFile, HasExactlyTheKeysOfTheLoader) {
  std::set<std::string> in_schema;
  each_key(schema(), "", [&](const std::string& path, const json::Value&) { in_schema.insert(path); });
  std::set<std::string> in_loader;
  for (const KnownKey& key : known_keys()) in_loader.insert(key.path);
  for (const std::string& path : free_mappings) in_schema.erase(path), in_loader.erase(path);
  EXPECT_EQ(in_schema, in_loader);
}

TEST(SchemaFile, DescribesEveryKey) {
  each_key(schema(), "", [](const std::string& path, const json::Value& form) {
    EXPECT_TRUE(form.HasMember("description") || path.find(".access.") != std::string::npos ||
                path.find("_headers.") != std::string::npos)
        << path;
  });
}

TEST(SchemaFile, AcceptsWhatLoads) {
  EXPECT_EQ(refused_at(read(example())), "");
  EXPECT_EQ(refused_at(read(with_every_key())), "");
  EXPECT_EQ(refused_at(read(print(config_of(example())))), "");
  EXPECT_EQ(refused_at(read(print(config_of(uncommented(example()))))), "");
  std::size_t documents = 0;
  for (const auto& entry : std::filesystem::directory_iterator(BATON_DOCUMENTS)) {
    if (entry.path().extension() != ".md") continue;
    for (const std::string& yaml : configurations_in(entry.path())) {
      EXPECT_EQ(refused_at(read(yaml)), "") << entry.path() << "\n" << yaml;
      ++documents;
    }
  }
  EXPECT_GE(documents, 10u);
}

// ── Every key, changed
// ────────────────────────────────────────────────────────────────────────────────────────────────

// The example with every key. Its clients are asked for certificates, so that it loads.
json::Document every_key() {
  std::string yaml = with_every_key();
  const std::string off = "client_auth: off     ";
  yaml.replace(yaml.find(off), off.size(), "client_auth: required");
  return read(yaml);
}

// One place for each path, the last one, so that keys shown as commented ones are there, too.
void each_place(const json::Value& value, const std::string& path, const std::string& pointer,
                std::map<std::string, std::string>& places) {
  if (!path.empty()) places[path] = pointer;
  if (value.IsObject()) {
    for (const auto& member : value.GetObject()) {
      std::string name = member.name.GetString();
      const std::string token = std::regex_replace(name, std::regex("/"), "~1");
      each_place(member.value, path + (path.empty() ? "" : ".") + name, pointer + "/" + token, places);
    }
  } else if (value.IsArray()) {
    for (json::SizeType i = 0; i < value.Size(); ++i) {
      each_place(value[i], path + "[]", pointer + "/" + std::to_string(i), places);
    }
  }
}

class Changed : public testing::Test {
 protected:
  Changed() { each_place(base, "", "", places); }

  // The verdicts on the document with another value at this place.
  struct Verdicts {
    std::string schema;
    bool loads = false;
    bool is_valid_alone = false;  // it loads, or is refused only for what another key says
    std::vector<std::string> problems;
  };
  Verdicts with(const std::string& pointer, const json::Value& value) const {
    json::Document changed;
    changed.CopyFrom(base, changed.GetAllocator());
    json::Value copy(value, changed.GetAllocator());
    json::Pointer(pointer.c_str()).Set(changed, copy);
    return judge(changed);
  }
  static Verdicts judge(const json::Value& changed) {
    const std::vector<std::string> problems = problems_of(text_of(changed));
    const auto is_about_others = [](const std::string& problem) {
      return problem.find("is more than `head_bytes`") != std::string::npos ||
             problem.find("so nothing would ever wait") != std::string::npos ||
             problem.find("`rate_limit`: ") != std::string::npos ||
             problem.find("is less than `bake`") != std::string::npos;
    };
    return {refused_at(changed), problems.empty(), std::ranges::all_of(problems, is_about_others), problems};
  }

  const json::Document base = every_key();
  std::map<std::string, std::string> places;  // pointers by path
};

TEST_F(Changed, NothingYetLoads) {
  EXPECT_EQ(problems_of(text_of(base)), std::vector<std::string>());
  EXPECT_EQ(refused_at(base), "");
}

TEST_F(Changed, ToAnyKindOfValueItIsRefusedByTheLoaderWhereTheSchemaRefusesIt) {
  const json::Document values = read(
      "[ ~, true, false, 0, 1, -1, 7, 404, 1.5, 100000000000000, '', x, auto, off, '5', 5s, 64k, 50%, /a, a:1, "
      "10.0.0.1, '${HOST}', '{host}', [], [ [] ], [ x ], {}, { x: 1 } ]");
  for (const auto& [path, pointer] : places) {
    for (const json::Value& value : values.GetArray()) {
      const Verdicts verdicts = with(pointer, value);
      EXPECT_FALSE(verdicts.loads && !verdicts.schema.empty()) << path << ": " << text_of(value) << " loads, but the "
                                                               << "schema refuses it at " << verdicts.schema;
    }
  }
}

TEST_F(Changed, AnotherKeyIsRefusedByBoth) {
  const json::Value one(1);
  for (const auto& [path, pointer] : places) {
    const json::Value* const at = json::Pointer(pointer.c_str()).Get(base);
    const bool is_free = path.ends_with(".header") || path.ends_with(".query") || path.ends_with("_headers.set") ||
                         path.ends_with("_headers.add");
    if (!at->IsObject() || is_free) continue;
    const Verdicts verdicts = with(pointer + "/no_such_key", one);
    EXPECT_FALSE(verdicts.loads) << path;
    EXPECT_NE(verdicts.schema, "") << path;
  }
}

TEST_F(Changed, AMissingKeyIsRefusedByBothIfItIsNeeded) {
  for (const auto& [path, pointer] : places) {
    if (path.ends_with("[]")) continue;
    json::Document changed;
    changed.CopyFrom(base, changed.GetAllocator());
    json::Pointer(pointer.c_str()).Erase(changed);
    const Verdicts verdicts = judge(changed);
    EXPECT_FALSE(verdicts.loads && !verdicts.schema.empty()) << path << ": " << verdicts.schema;
    const auto is_missing = [](const std::string& problem) {
      return problem.find("` is missing ") != std::string::npos;
    };
    const bool depends_on_others = path == "listeners[].upstream";
    if (!depends_on_others && std::ranges::any_of(problems_of(text_of(changed)), is_missing)) {
      EXPECT_NE(verdicts.schema, "") << path;
    }
  }
}

// The schema's forms for the place.
std::vector<const json::Value*> forms_at(const std::string& path) {
  std::vector<const json::Value*> at{&schema()};
  std::string rest = path;
  while (!rest.empty()) {
    const bool is_item = rest.starts_with("[]");
    const std::size_t end = is_item ? 2 : std::min(rest.find('.'), rest.find("[]"));
    const std::string key = rest.substr(0, end);
    rest.erase(0, std::min(end, rest.size()));
    if (rest.starts_with('.')) rest.erase(0, 1);
    std::vector<const json::Value*> next;
    for (const json::Value* form : at) {
      each_form(*form, [&](const json::Value& one) {
        if (is_item) {
          if (one.HasMember("items")) next.push_back(&one["items"]);
        } else if (one.HasMember("properties") && one["properties"].HasMember(key.c_str())) {
          next.push_back(&one["properties"][key.c_str()]);
        }
      });
    }
    at = std::move(next);
  }
  return at;
}

TEST_F(Changed, NumbersAreRefusedByBothOutsideTheSameRange) {
  std::size_t ranges = 0;
  for (const auto& [path, pointer] : places) {
    std::set<std::int64_t> numbers;
    for (const json::Value* form : forms_at(path)) {
      each_form(*form, [&](const json::Value& one) {
        if (!one.HasMember("minimum")) return;
        ++ranges;
        for (const std::int64_t bound : {one["minimum"].GetInt64(), one["maximum"].GetInt64()}) {
          numbers.insert({bound - 1, bound, bound + 1});
        }
        numbers.insert({-1, 0, 1});
      });
    }
    for (const std::int64_t number : numbers) {
      const Verdicts verdicts = with(pointer, json::Value(number));
      EXPECT_EQ(verdicts.schema.empty(), verdicts.is_valid_alone) << path << ": " << number << " " << verdicts.schema;
    }
  }
  EXPECT_GE(ranges, 25u);
}

// The words that the loader offers in place of an unknown one.
std::vector<std::string> offered_in(const std::vector<std::string>& problems) {
  static const std::regex list(R"(unknown value `no_such_word`.*\(expected: (.*)\))");
  static const std::regex comma(", ");
  std::vector<std::string> words;
  for (const std::string& problem : problems) {
    std::smatch found;
    if (!std::regex_search(problem, found, list)) continue;
    const std::string text = found[1];
    std::copy(std::sregex_token_iterator(text.begin(), text.end(), comma, -1), std::sregex_token_iterator(),
              std::back_inserter(words));
  }
  return words;
}

bool is_unknown_word(const std::string& problem) {
  return problem.find("unknown value") != std::string::npos;
}

TEST_F(Changed, WordsAreThoseThatTheLoaderKnows) {
  std::size_t lists = 0;
  const json::Value other("no_such_word");
  for (const auto& [path, pointer] : places) {
    std::vector<const json::Value*> words;
    for (const json::Value* form : forms_at(path)) {
      each_form(*form, [&](const json::Value& one) {
        if (!one.HasMember("enum")) return;
        for (const json::Value& word : one["enum"].GetArray()) words.push_back(&word);
      });
    }
    const Verdicts verdicts = with(pointer, other);
    for (const std::string& word : offered_in(verdicts.problems)) {
      const json::Value value(word.c_str(), static_cast<json::SizeType>(word.size()));
      EXPECT_EQ(with(pointer, value).schema, "") << path << ": " << word;
    }
    if (words.empty()) continue;
    ++lists;
    EXPECT_FALSE(verdicts.loads) << path;
    EXPECT_NE(verdicts.schema, "") << path;
    for (const json::Value* word : words) {
      const Verdicts of_word = with(pointer, *word);
      EXPECT_TRUE(std::ranges::none_of(of_word.problems, is_unknown_word)) << path << ": " << text_of(*word);
    }
  }
  EXPECT_GE(lists, 30u);
}

}  // namespace
}  // namespace baton::config
