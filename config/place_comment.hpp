// Comments in a configuration that is handed over, which say where its routes were written: a process that gets the
// configuration of another, as after a rollback, names those places and not its own text's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace baton::config {

// For the line before the route; empty: the place is unknown, or its file's name does not fit into a comment.
std::string place_comment(const Position& where);

// The routes have been read from `text`.
void restore_places(std::string_view text, std::vector<Route>& routes);

}  // namespace baton::config
