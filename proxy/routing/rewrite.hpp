// What a route changes in its requests and responses, ready for the data path.
#pragma once

#include <optional>
#include <string>

#include "config/rewrite.hpp"
#include "proxy/routing/path_substitution.hpp"

namespace baton::routing {

struct Rewrite {
  // Its names in one text: those of fields that came and go no further, each followed by a line feed.
  struct Fields {
    config::FieldEdits edits;
    std::string removed;
    explicit Fields(const config::FieldEdits& from) : edits(from) {
      for (const std::string& name : edits.remove) removed += name + '\n';
      for (const config::FieldEdits::Field& field : edits.set) removed += field.name + '\n';
    }
  };

  config::PathRewrite path;
  std::optional<PathSubstitution> substitution;  // of path.regex
  bool changes_path = path != config::PathRewrite{};
  config::HostRewrite host;
  Fields request;
  Fields response;
};

}  // namespace baton::routing
