#include "proxy/worker/server_names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <stdexcept>

#include "config/address.hpp"
#include "proxy/process/names.hpp"

namespace baton::proxy {

namespace {

// A process that starts has nothing to serve with meanwhile.
constexpr std::chrono::seconds first_limit(5);

bool is_name(const config::Address& address) {
  return !address.srv.empty() || (address.unix_path.empty() && !config::is_ip_address(address.host));
}

// In KnownNames. Those of names that are looked up only once are no question's.
std::string key_of(const config::Upstream& upstream, const config::Server& server) {
  const auto question = recurring_question(upstream, server);
  return question ? question->text() : server.address.text();
}

[[noreturn]] void refuse(const config::Address& address, const std::string& why) {
  throw std::runtime_error("cannot look up " + address.text() + ": " + why +
                           "; check the name, or write an IP address");
}

// What a certificate must name. Forged SRV records must not change it, so it is the name that the records
// belong to (RFC 6125 §2.3).
std::string host_of(const config::Address& address) {
  if (address.srv.empty()) return address.host;
  return address.srv.substr(address.srv.find('.', address.srv.find('.') + 1) + 1);
}

}  // namespace

std::vector<state::SocketAddress> look_up(const config::Address& address) {
  auto addresses = process::look_up(address);
  if (!addresses) refuse(address, addresses.error());
  return std::move(*addresses);
}

std::optional<process::Question> recurring_question(const config::Upstream& upstream, const config::Server& server) {
  if (!upstream.resolve || !is_name(server.address)) return std::nullopt;
  return process::Question{server.address, upstream.resolve->family, upstream.resolve->nameservers};
}

std::vector<Recurring> recurring_questions(const config::Config& config) {
  std::map<std::string, Recurring> questions;
  for (const config::Upstream& upstream : config.upstreams) {
    for (const config::Server& server : upstream.servers) {
      const auto question = recurring_question(upstream, server);
      if (!question) continue;
      const auto [known, is_new] = questions.try_emplace(question->text(), *question, upstream.resolve->every);
      known->second.every = std::min(known->second.every, upstream.resolve->every);
    }
  }
  std::vector<Recurring> list;
  for (auto& [text, one] : questions) list.push_back(std::move(one));
  return list;
}

state::KnownNames recurring_names(const config::Config& config, const state::KnownNames& names) {
  state::KnownNames recurring;
  for (const Recurring& one : recurring_questions(config)) {
    if (const auto known = names.find(one.question.text()); known != names.end()) recurring.insert(*known);
  }
  return recurring;
}

void ask_missing(const config::Config& config, state::KnownNames& names) {
  std::vector<process::Question> questions;
  for (Recurring& one : recurring_questions(config)) {
    if (!names.contains(one.question.text())) questions.push_back(std::move(one.question));
  }
  std::vector<process::Answer> answers = process::ask(questions, first_limit);
  for (std::size_t i = 0; i < questions.size(); ++i) {
    if (answers[i].found.empty()) refuse(questions[i].address, answers[i].failure);
    names[questions[i].text()] = std::move(answers[i].found);
  }
}

state::KnownNames learn_names(const config::Config& config, const state::KnownNames& known, Unknown unknown) {
  state::KnownNames names = recurring_names(config, known);
  if (unknown == Unknown::ask) ask_missing(config, names);
  for (const config::Upstream& upstream : config.upstreams) {
    for (const config::Server& server : upstream.servers) {
      if (recurring_question(upstream, server)) continue;
      const auto [entry, is_new] = names.try_emplace(key_of(upstream, server));
      if (!is_new) continue;
      for (auto& address : look_up(server.address)) entry->second.push_back({.address = std::move(address)});
    }
  }
  return names;
}

std::vector<upstream::ServerAddress> servers_of(const config::Upstream& upstream, const state::KnownNames& names,
                                                upstream::Registry& registry) {
  std::vector<upstream::ServerAddress> servers;
  for (const config::Server& server : upstream.servers) {
    const auto known = names.find(key_of(upstream, server));
    if (known == names.end()) continue;
    for (const state::NamedServer& one : known->second) {
      servers.push_back({.address = one.address,
                         .weight = one.weight != 0 ? one.weight : server.weight,
                         .host = host_of(server.address),
                         .drain = server.drain,
                         .backup = server.backup || one.backup,
                         .max_connections = server.max_connections,
                         .standing = registry.standing(upstream.name, one.address.text()),
                         .configured_weight = server.weight});
    }
  }
  return servers;
}

}  // namespace baton::proxy
