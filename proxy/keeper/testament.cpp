#include "proxy/keeper/testament.hpp"

#include <cstring>

namespace baton::keeper {

Testament::Testament(const handoff::PredecessorTerms& terms, const handoff::Estate& estate)
    : generation_(terms.self.generation),
      pid_(terms.self.pid),
      version_(terms.self.version),
      features_(terms.features.begin(), terms.features.end()),
      ready_timeout_(terms.ready_timeout),
      step_timeout_(terms.step_timeout),
      application_(estate.application),
      secrets_(estate.secrets.data(), estate.secrets.data() + estate.secrets.size()),
      configuration_(estate.configuration),
      executable_(estate.executable) {
  sockets_.reserve(estate.sockets.size());
  for (const handoff::OfferedSocket& one : estate.sockets) {
    sockets_.push_back({one.name, one.address, one.descriptor});
  }
}

Testament::~Testament() {
  if (!secrets_.empty()) ::explicit_bzero(secrets_.data(), secrets_.size());
}

handoff::PredecessorTerms Testament::terms() const {
  handoff::PredecessorTerms terms{
      .self = {.generation = generation_, .pid = pid_, .version = std::string(version_.view())},
      .features = {},
      .ready_timeout = ready_timeout_,
      .step_timeout = step_timeout_};
  for (const state::String& one : features_) terms.features.emplace_back(one.view());
  return terms;
}

handoff::Estate Testament::estate() const {
  handoff::Estate estate{.sockets = {},
                         .application = std::string(application_.view()),
                         .secrets = handoff::SecretBytes(std::string_view(secrets_.data(), secrets_.size())),
                         .configuration = std::string(configuration_.view()),
                         .executable = executable_};
  for (const Socket& one : sockets_) {
    estate.sockets.push_back({std::string(one.name.view()), std::string(one.address.view()), one.descriptor});
  }
  return estate;
}

}  // namespace baton::keeper
