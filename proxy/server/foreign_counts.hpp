// Counts of processes that have another ledger: of a version from before it, or without memory for ours.
#pragma once

#include "proxy/metrics/families.hpp"
#include "proxy/state/instance_record.hpp"

namespace baton::proxy {

class ForeignCounts {
 public:
  // What a predecessor has counted over all generations. What it said before is not counted again. Nothing if it shares
  // our ledger.
  void count_before(const state::InstanceRecord& record);
  // What a successor that gives the service back has counted since it began with `inherited`.
  static void count_more(const state::InstanceRecord& record, const state::InstanceRecord& inherited);

 private:
  state::InstanceRecord said_;
};

// Writes the totals of the ledger into the record, for a version from before it.
void describe_counts(const metrics::Totals& totals, state::InstanceRecord& record);

}  // namespace baton::proxy
