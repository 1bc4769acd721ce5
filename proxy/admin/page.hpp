// What `GET /` answers: the live page, with the present status in it as tables, for readers without JavaScript.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/admin/status.hpp"

namespace baton::admin {

constexpr std::string_view page_content_type = "text/html; charset=utf-8";

// page/html.hpp, with its first `<!--status-->` replaced by the tables. `takes_commands`: this address takes commands
// without a token, which the page shows.
std::string page(const Status& status, bool takes_commands);
// The tables alone. What comes from outside is escaped.
std::string status_tables(const Status& status);

// The fields of the answer that limit what a browser does with the page: it loads nothing, talks to this address alone,
// and runs the scripts that are in page.html and no others.
const std::vector<std::pair<std::string, std::string>>& page_fields();
std::string content_security_policy(std::string_view html);

}  // namespace baton::admin
