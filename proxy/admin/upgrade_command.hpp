// The body of `POST /upgrade`.
#pragma once

#include <expected>
#include <string>

#include "proxy/admin/admin.hpp"

namespace baton::admin {

// What it asks for. The error is what is wrong with it.
std::expected<UpgradeCommand, std::string> read_upgrade_command(const std::string& body);

}  // namespace baton::admin
