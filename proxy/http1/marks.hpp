// What is worked out about one request's client and its marks; reused from one request to the next.
#pragma once

#include <array>
#include <string>

#include "proxy/http1/forward.hpp"
#include "proxy/http1/identity.hpp"
#include "proxy/http1/random_bytes.hpp"

namespace baton::http1 {

struct Marks {
  Identity identity;
  bool is_identified = false;  // `identity` describes the head in the tables
  std::string x_forwarded_for;
  std::string forwarded;
  std::string real_ip;
  std::array<OwnField, 4> fields;
  RequestChanges request;
  ResponseChanges response;
  RandomBytes random;
};

}  // namespace baton::http1
