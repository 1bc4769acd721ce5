// Looks up host names all at once and within a limit, however long a resolver would take.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace baton::check {

// Why a host has no address; nothing: it has one. May be slow.
using LookUp = std::optional<std::string> (*)(const std::string& host);
std::optional<std::string> why_unknown(const std::string& host);

// The reason for each host without an address. `waiting` is called about once a second.
std::map<std::string, std::string> look_up_all(const std::set<std::string>& hosts, std::chrono::milliseconds limit,
                                               const std::function<void(const std::string& what)>& waiting,
                                               LookUp look_up = why_unknown);

}  // namespace baton::check
