// For tests: checks a text in Prometheus' exposition format 0.0.4, and the names in it.
#pragma once

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace baton::admin {

// As strict as `promtool check metrics`. Each entry is a complaint with its line.
inline std::vector<std::string> complaints_about(const std::string& exposition) {
  static const std::regex help(R"(# HELP ([a-z_:][a-z0-9_:]*) (\S.*))");
  static const std::regex type(R"(# TYPE ([a-z_:][a-z0-9_:]*) (counter|gauge|summary|histogram|untyped))");
  static const std::regex sample(
      R"(([a-z_:][a-z0-9_:]*)(?:\{([\s\S]*)\})? (-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|[+-]Inf|NaN))");
  static const std::regex label(R"re(([a-z_][a-z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(,|$))re");
  static const std::regex no_base_unit(
      "_(milliseconds|microseconds|nanoseconds|minutes|hours|ms|us|ns|kilobytes|megabytes|percent)(_total)?$");

  std::vector<std::string> complaints;
  std::map<std::string, std::string> type_of;  // the families so far, with their types
  std::set<std::string> series;
  std::set<std::string> with_help;
  std::string family;
  std::set<std::string> parts_of_summaries;
  std::set<std::string> summaries;
  std::map<std::string, double> last_bucket;  // of histograms
  std::istringstream lines(exposition);
  for (std::string line; std::getline(lines, line);) {
    const auto complain = [&](const std::string& what) { complaints.push_back(what + ": " + line); };
    std::smatch found;
    if (std::regex_match(line, found, help)) {
      if (!with_help.insert(found[1]).second) complain("a second HELP");
      family = found[1];
      continue;
    }
    if (std::regex_match(line, found, type)) {
      if (found[1] != family) complain("TYPE without its HELP before it");
      if (!type_of.emplace(found[1], found[2]).second) complain("a second TYPE, or one after its samples");
      const bool is_counter = found[2] == "counter";
      if (is_counter != family.ends_with("_total")) complain("`_total` is for counters, and for all of them");
      if (!family.starts_with("baton_") && !family.starts_with("process_")) complain("a name without its prefix");
      if (std::regex_search(family, no_base_unit)) complain("no base unit");
      continue;
    }
    if (!std::regex_match(line, found, sample)) {
      complain("neither a comment nor a sample");
      continue;
    }
    const std::string name = found[1];
    const std::string kind = type_of[family];
    const bool is_part = name == family + "_sum" || name == family + "_count";
    const bool is_bucket = kind == "histogram" && name == family + "_bucket";
    const bool may_have_parts = kind == "summary" || kind == "histogram";
    const bool is_its = kind == "histogram" ? is_part || is_bucket : name == family || (may_have_parts && is_part);
    if (!is_its) complain("not of the family above it (" + family + ")");
    if (kind == "summary") (is_part ? parts_of_summaries : summaries).insert(name);
    if (is_bucket) last_bucket[family] = std::stod(found[3]);
    if (kind == "histogram" && name == family + "_count" && last_bucket[family] != std::stod(found[3])) {
      complain("a count that is not that of the last bucket");
    }
    std::string rest = found[2];
    std::set<std::string> names;
    for (std::smatch one; !rest.empty(); rest = one.suffix()) {
      if (!std::regex_search(rest, one, label, std::regex_constants::match_continuous)) {
        complain("labels that cannot be read");
        break;
      }
      if (!names.insert(one[1]).second) complain("a label twice");
      if (one[1] == "quantile" && kind != "summary") complain("`quantile` on what is no summary");
      if (one[1] == "le" && !is_bucket) complain("`le` on what is no bucket");
    }
    if (!series.insert(line.substr(0, line.rfind(' '))).second) complain("a series twice");
  }
  if (!exposition.ends_with('\n')) complaints.emplace_back("no line end at the end");
  for (const std::string& name : summaries) {
    if (!parts_of_summaries.contains(name + "_sum") || !parts_of_summaries.contains(name + "_count")) {
      complaints.push_back("a summary without _sum and _count: " + name);
    }
  }
  return complaints;
}

}  // namespace baton::admin
