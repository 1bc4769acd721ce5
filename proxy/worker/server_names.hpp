// The names of servers and the addresses that they have. With `resolve` on its upstream, a name is a question that is
// asked again and again; any other one is looked up with the configuration.
#pragma once

#include <optional>
#include <vector>

#include "config/config.hpp"
#include "proxy/process/dns.hpp"
#include "proxy/upstream/pool.hpp"

namespace baton::proxy {

// All addresses of `address`: one for an IP address or a Unix path, several for a name. Throws std::runtime_error with
// what to do.
std::vector<state::SocketAddress> look_up(const config::Address& address);

// Nothing: the server has no name, or its upstream no `resolve`.
std::optional<process::Question> recurring_question(const config::Upstream& upstream, const config::Server& server);

struct Recurring {
  process::Question question;
  config::Milliseconds every;  // the shortest, where several upstreams ask it
};
// Each question once.
std::vector<Recurring> recurring_questions(const config::Config& config);

// What to do about questions without an answer.
enum class Unknown { ask, leave };
// The names of the configuration: recurring ones as `known`, the others looked up now. Throws as above.
state::KnownNames learn_names(const config::Config& config, const state::KnownNames& known, Unknown unknown);

// Asks the recurring questions that `names` has no answer to. Throws as above.
void ask_missing(const config::Config& config, state::KnownNames& names);

// Those of `names` that are answers to recurring questions.
state::KnownNames recurring_names(const config::Config& config, const state::KnownNames& names);

// The servers of an upstream at the addresses that `names` has for them.
std::vector<upstream::ServerAddress> servers_of(const config::Upstream& upstream, const state::KnownNames& names,
                                                upstream::Registry& registry);

}  // namespace baton::proxy
