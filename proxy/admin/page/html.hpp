// The live page as it stands in page.html, compiled in.
#pragma once

#include <string_view>

namespace baton::admin {

std::string_view page_html();

}  // namespace baton::admin
