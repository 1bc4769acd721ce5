// The body of `GET /metrics`: the counters of the ledger, and the other numbers of a Status.
#pragma once

#include <string>

#include "proxy/admin/status.hpp"
#include "proxy/metrics/exposition.hpp"
#include "proxy/process/usage.hpp"

namespace baton::admin {

// Series of listeners, routes, upstreams and servers that the configuration does not have (any more) are left out.
std::string to_metrics(const Status& status, const process::Usage& usage,
                       metrics::Format format = metrics::Format::prometheus);

}  // namespace baton::admin
