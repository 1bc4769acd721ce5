// What a process counts for its clients, over all its configurations.
#pragma once

#include "proxy/rates/occupancy.hpp"
#include "proxy/rates/table.hpp"

namespace baton::rates {

struct Counts {
  Table requests;
  Occupancy connections;
};

}  // namespace baton::rates
