// The body of `GET /metrics`: the numbers of a Status in Prometheus' text exposition format, version 0.0.4.
#pragma once

#include <string>
#include <string_view>

#include "proxy/admin/status.hpp"

namespace baton::admin {

inline constexpr std::string_view metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";

std::string to_metrics(const Status& status);

}  // namespace baton::admin
