// What the status and the metrics say.
#include <boost/asio/post.hpp>

#include <unistd.h>

#include <utility>

#include "handoff/insist.hpp"
#include "proxy/server/server.hpp"

namespace baton::proxy {

namespace asio = boost::asio;

namespace {

// A status, and what is still to be added to it.
struct Gathering {
  admin::Status status;
  std::size_t unanswered = 0;
  std::function<void(admin::Status)> answer;
};

// One worker's part of it.
struct Share {
  Counters counters;
  admin::Connections connections;
  std::uint64_t unknown = 0;
};

void operator+=(admin::Connections& sum, const admin::Connections& more) {
  sum.idle += more.idle;
  sum.head += more.head;
  sum.exchange += more.exchange;
  sum.tunnel += more.tunnel;
  sum.closing += more.closing;
  sum.upstream_idle += more.upstream_idle;
}

}  // namespace

// Each worker is asked, and none is waited for: while one hangs, this thread goes on.
void Server::answer_status(std::function<void(admin::Status)> answer) {
  const auto gathering = std::make_shared<Gathering>();
  admin::Status& status = gathering->status;
  status.generation = shared_.generation;
  status.pid = ::getpid();
  if (options_.supervisor) status.supervisor = options_.supervisor->supervisor();
  status.version = options_.version;
  status.state = role_.is_stopping() ? admin::State::stopping : draining_ ? admin::State::draining : admin::State::serving;
  status.ready = is_ready();
  for (const BoundSocket& socket : sockets_) status.listening.push_back({socket.listener, socket.address.text()});
  for (const std::string& address : admin_.addresses()) status.listening.push_back({"@admin", address});
  status.started_at_us = started_at_us_;
  status.connections_max = shared_.connections_max.load();
  status.last_reload_ok = last_reload_ok_;
  status.last_upgrade = last_upgrade_;
  status.accepted_total = inherited_accepted_;
  status.requests_total = inherited_requests_;
  std::optional<std::vector<std::string>> previous_features;
  if (previous_) {
    status.rollback = admin::Rollback{previous_->program.version, 0};
    previous_features = previous_->program.features;
  }
  gathering->unanswered = workers_->size();
  gathering->answer = std::move(answer);
  for (std::size_t i = 0; i < workers_->size(); ++i) {
    workers_->at(i).loop().post([this, gathering, previous_features, &worker = workers_->at(i)] {
      Share share{.counters = worker.counters, .connections = {}, .unknown = 0};
      worker.count(share.connections);
      if (previous_features) {
        share.unknown = handoff::insist([&] { return worker.count_unknown_to(*previous_features); });
      }
      // Without this share there is no answer.
      handoff::insist([&] {
        asio::post(context_, [gathering, share] {
          admin::Status& sum = gathering->status;
          sum.accepted_total += share.counters.accepted;
          sum.requests_total += share.counters.requests;
          sum.aborted_total += share.counters.aborted;
          sum.fields_dropped += share.counters.fields_dropped;
          sum.connections += share.connections;
          if (sum.rollback) sum.rollback->unknown += share.unknown;
          if (--gathering->unanswered == 0) gathering->answer(std::move(sum));
        });
      });
    });
  }
}

handoff::Side Server::self() const {
  return {.generation = shared_.generation, .pid = ::getpid(), .version = options_.version};
}

}  // namespace baton::proxy
