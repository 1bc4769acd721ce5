// The wire format of an UpgradeRecord. What is longer than any neighbour needs is cut.
#pragma once

#include "proxy/state/state.pb.h"
#include "proxy/state/upgrade_record.hpp"

namespace baton::state {

void write(const UpgradeRecord& record, wire::UpgradeRecord& out);
UpgradeRecord read(const wire::UpgradeRecord& in);

}  // namespace baton::state
