// Asks name servers for the servers behind a name: addresses, or SRV records (RFC 2782) and their targets' addresses.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "proxy/state/instance_record.hpp"

namespace baton::process {

// What an operator wants to know again and again.
struct Question {
  config::Address address;  // a host with its port, or the name of SRV records
  config::NameFamily family = config::NameFamily::any;
  std::vector<config::Address> nameservers;  // empty: the system's

  // Identifies the question, also in another process.
  std::string text() const;
};

struct Answer {
  std::vector<state::NamedServer> found;  // each address once, sorted; at most `found_max`
  std::string failure;                    // not empty: something is missing from `found`, and why
};

inline constexpr std::size_t found_max = 256;

// Asks all questions at once. Each is answered within `limit`, in the order of the questions. Hosts come from
// /etc/hosts or from the name servers, with the search list and the other rules of /etc/resolv.conf. Throws
// std::bad_alloc.
std::vector<Answer> ask(std::span<const Question> questions, std::chrono::milliseconds limit);

}  // namespace baton::process
