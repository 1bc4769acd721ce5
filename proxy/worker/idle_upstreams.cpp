// Connections to servers without a client, on their way into the pool.
#include <new>
#include <utility>

#include "proxy/worker/worker.hpp"

namespace baton::proxy {

void Worker::pool_or_close(std::unique_ptr<tls::Stream> stream, state::Boxed<state::UpstreamLeg> leg,
                           bool may_be_used_again) {
  upstream::Upstream* const upstream = pool_.find(leg->upstream);
  upstream::Server* const server = upstream != nullptr ? upstream->find(leg->server, state::terms_of(*leg)) : nullptr;
  if (server == nullptr || !may_be_used_again || stopping_ || upstream->is_worn_out(*leg, now_ms())) {
    stream->say_goodbye(*leg);
    stream->socket().close();
    return loop_.dispose(std::move(stream));
  }
  leg->reused = true;
  leg->carrier = 0;
  pool_.give(*server, {std::move(stream), std::move(leg), now_ms()});
}

void Worker::pool_idle_upstream(FrozenUpstream frozen) {
  upstream::Upstream* upstream = pool_.find(frozen.idle.upstream);
  upstream::Server* server =
      upstream != nullptr ? upstream->find(frozen.idle.server, state::terms_of(frozen.idle.leg)) : nullptr;
  const bool is_wanted = server != nullptr && !stopping_ && shared_.has_sockets_for_expected();
  try {
    if (is_wanted && frozen.stream->watch()) {
      state::Boxed<state::UpstreamLeg> leg = state::UpstreamLeg{
          std::move(frozen.idle.leg), std::move(frozen.idle.upstream), std::move(frozen.idle.server), true,
          frozen.idle.requests,       frozen.idle.opened_ms,           std::move(frozen.idle.frames)};
      return pool_.adopt(*server, {std::move(frozen.stream), std::move(leg), frozen.idle.idle_since_ms});
    }
  } catch (const std::bad_alloc&) {
    // As above.
  }
  frozen.stream->socket().close();
  loop_.dispose(std::move(frozen.stream));
}

}  // namespace baton::proxy
