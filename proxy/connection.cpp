#include "proxy/connection.hpp"

#include <algorithm>
#include <cerrno>

#include "proxy/upstream/connector.hpp"
#include "proxy/worker.hpp"

namespace baton::proxy {

using http1::Ask;
using runtime::Io;

namespace {

// So many passes, each of a buffer at most, before others get their turn.
constexpr int passes_max = 32;
// A request that must not be sent twice goes only on a pooled connection that was used this lately.
constexpr std::int64_t quiet_within_ms = 1'000;

}  // namespace

Connection::Connection(Worker& worker, state::ConnectionState state, handoff::UniqueFd client,
                       handoff::UniqueFd upstream)
    : worker_(worker),
      state_(std::move(state)),
      client_text_(state_.client_address.host_text()),
      client_(worker.loop(), std::move(client), *this) {
  if (upstream) upstream_ = std::make_unique<runtime::Socket>(worker.loop(), std::move(upstream), *this);
  look_up_place();
}

void Connection::look_up_place() {
  route_ = worker_.route(state_);
  listener_gone_ = !worker_.has_listener(state_.listener);
  server_ = nullptr;
  if (state_.upstream) {
    if (auto* servers = worker_.pool().find(state_.upstream->upstream)) server_ = servers->find(state_.upstream->server);
  }
  received_since_ = 0;
  stretched_rules_.reset();
  const std::size_t here = state_.client.unread.size();
  if (here < worker_.rules().head_bytes) return;
  stretched_rules_ = std::make_unique<http1::Rules>(worker_.rules());
  stretched_rules_->head_bytes += here;
}

void Connection::reconfigured() {
  look_up_place();
  if (connect_deadline_ms_ == 0) return set_deadline();
  // A connect that is under way goes to a server that may be gone: it is begun anew.
  drop_upstream();
  run();
}

// A limit on heads that has become smaller holds for what comes in addition, until all that was here before is consumed.
const http1::Rules& Connection::rules() {
  if (stretched_rules_ && state_.client.unread.size() <= received_since_) stretched_rules_.reset();
  return stretched_rules_ ? *stretched_rules_ : worker_.rules();
}

bool Connection::watch() { return client_.watch() && (!upstream_ || upstream_->watch()); }

void Connection::resume() {
  if (!watch()) return close(true);
  run();
}

void Connection::end_if_idle() {
  if (closed_ || frozen_) return;
  client_.note_readable();
  run();
  if (!closed_ && !frozen_ && http1::is_idle(state_)) close(false);
}

void Connection::note_shared() {
  client_.note_shared();
  if (upstream_) upstream_->note_shared();
}

void Connection::freeze() {
  if (connect_deadline_ms_ != 0) drop_upstream();
  client_.unwatch();
  if (upstream_) upstream_->unwatch();
  worker_.deadlines().clear(*this);
  frozen_ = true;
  frozen_at_us_ = runtime::monotonic_us();
}

void Connection::let_go() {
  client_.release();
  if (upstream_) upstream_->release();
  closed_ = true;
  worker_.remove(*this);
}

// ── Events ────────────────────────────────────────────────────────────────────────────────────────────────────────

void Connection::on_events(std::uint32_t) {
  if (!frozen_ && !closed_) run();
}

void Connection::on_ready(runtime::Socket& socket) {
  if (frozen_ || closed_) return;
  if (connect_deadline_ms_ != 0 && &socket == upstream_.get()) {
    if (!socket.writable()) return;
    if (!obey(connect_ended())) return;
  }
  run();
}

void Connection::on_deadline() {
  if (frozen_ || closed_) return;
  Ask ask;
  if (connect_deadline_ms_ != 0) {
    ask = not_connected(ETIMEDOUT, http1::Loss::connect_timed_out);
  } else {
    ask = http1::expire(state_, context());
  }
  if (obey(ask)) run();
}

// ── The loop ──────────────────────────────────────────────────────────────────────────────────────────────────────

http1::Context Connection::context() {
  return worker_.context(rules(), client_text_, route_ != nullptr ? route_->servers() : 0, listener_gone_);
}

void Connection::run() {
  if (closed_) return;
  frozen_ = false;
  for (int pass = 0;; ++pass) {
    if (pass == passes_max) {
      worker_.loop().again(*this);
      break;
    }
    const bool read = read_legs();
    if (closed_) return;
    const Ask ask = connect_deadline_ms_ != 0 ? Ask::wait : http1::advance(state_, context());
    if (!obey(ask)) return;
    const bool wrote = write_legs();
    if (closed_) return;
    if (ask == Ask::wait && !read && !wrote) break;
  }
  set_deadline();
}

bool Connection::read_legs() {
  bool progress = false;
  const http1::Rules& rules = this->rules();
  if (client_.readable()) {
    if (const std::size_t bytes = http1::wanted_from_client(state_, rules); bytes != 0) {
      const std::size_t before = state_.client.unread.size();
      switch (client_.receive(state_.client.unread, bytes)) {
        case Io::done:
          state_.client.read_at_ms = worker_.now_ms();
          received_since_ += state_.client.unread.size() - before;
          progress = true;
          break;
        case Io::ended:
          state_.client.read_ended = progress = true;
          break;
        case Io::failed:
          close(false);
          return true;
        case Io::would_block:
          break;
      }
    } else if (client_.broken()) {
      // The client has reset the connection: nobody is left to answer.
      close(false);
      return true;
    }
  }
  if (upstream_ && connect_deadline_ms_ == 0 && upstream_->readable()) {
    if (const std::size_t bytes = http1::wanted_from_upstream(state_, rules); bytes != 0) {
      switch (upstream_->receive(state_.upstream->unread, bytes)) {
        case Io::done:
          state_.upstream->read_at_ms = worker_.now_ms();
          progress = true;
          break;
        case Io::ended:
          state_.upstream->read_ended = progress = true;
          break;
        case Io::failed:
          obey(http1::upstream_lost(state_, http1::Loss::reset, context()));
          return true;
        case Io::would_block:
          break;
      }
    }
  }
  return progress;
}

bool Connection::write_legs() {
  bool progress = false;
  if (state_.upstream && upstream_ && connect_deadline_ms_ == 0 && !state_.upstream->unsent.empty() &&
      upstream_->writable()) {
    switch (upstream_->send(state_.upstream->unsent)) {
      case Io::done:
        state_.upstream->write_at_ms = worker_.now_ms();
        progress = true;
        break;
      case Io::failed:
        http1::upstream_write_failed(state_);
        progress = true;
        break;
      default:
        break;
    }
  }
  if (!state_.client.unsent.empty() && client_.writable()) {
    switch (client_.send(state_.client.unsent)) {
      case Io::done:
        state_.client.write_at_ms = worker_.now_ms();
        progress = true;
        break;
      case Io::failed:
        close(false);
        return true;
      default:
        break;
    }
  }
  return progress;
}

bool Connection::obey(Ask ask) {
  // The engine drops an upstream leg by forgetting it.
  const auto follow = [this] {
    if (!state_.upstream && upstream_ && connect_deadline_ms_ == 0) drop_upstream();
  };
  follow();
  while (ask == Ask::connect) {
    ask = find_upstream();
    follow();
  }
  switch (ask) {
    case Ask::wait:
    case Ask::connect:
      return true;
    case Ask::park:
      park_upstream();
      return true;
    case Ask::exchange_ended:
      log_exchange();
      if (worker_.stopping() && http1::is_idle(state_)) {
        close(false);
        return false;
      }
      return !worker_.boundary(*this);
    case Ask::end_client_writing:
      client_.end_writing();
      state_.client.write_ended = true;
      return true;
    case Ask::end_upstream_writing:
      upstream_->end_writing();
      state_.upstream->write_ended = true;
      return true;
    case Ask::close:
      close(false);
      return false;
    case Ask::reset:
      close(true);
      return false;
  }
  return true;
}

// ── The upstream leg ──────────────────────────────────────────────────────────────────────────────────────────────

Ask Connection::find_upstream() {
  if (route_ == nullptr) return http1::upstream_lost(state_, http1::Loss::unreachable, context());
  upstream::Server& server = route_->choose(worker_.now_ms());
  const auto* http1 = std::get_if<state::Http1>(&state_.protocol);
  if (http1 == nullptr) return try_server(server, true, false);
  const auto& connecting = std::get<state::Connecting>(http1->phase);
  return try_server(server, connecting.fresh, connecting.request.idempotent);
}

Ask Connection::try_server(upstream::Server& server, bool fresh, bool idempotent) {
  server_ = &server;
  if (!fresh) {
    upstream_ = worker_.pool().take(server, worker_.now_ms(), idempotent ? 0 : quiet_within_ms);
    if (upstream_) {
      upstream_->set_owner(*this);
      return attach(true);
    }
  }
  upstream::Connecting attempt = upstream::begin_connect(server.address);
  if (!attempt.socket && (attempt.error == EMFILE || attempt.error == ENFILE) && worker_.pool().idle() != 0) {
    // A descriptor that waits for work is worth less than one that is needed now.
    worker_.pool().trim(worker_.pool().idle() - 1);
    attempt = upstream::begin_connect(server.address);
  }
  if (attempt.socket) {
    upstream_ = std::make_unique<runtime::Socket>(worker_.loop(), std::move(attempt.socket), *this);
    if (upstream_->watch()) {
      if (attempt.established) server.note_success();
      if (attempt.established) return attach(false);
      upstream_->note_writable(false);
      connect_deadline_ms_ = worker_.now_ms() + worker_.settings().connect_ms;
      return Ask::wait;
    }
  }
  return not_connected(attempt.error, http1::Loss::connect_failed);
}

Ask Connection::not_connected(int error, http1::Loss loss) {
  server_->note_failure(worker_.now_ms());
  worker_.note_connect_failure(server_->address, error);
  drop_upstream();
  return http1::upstream_lost(state_, loss, context());
}

Ask Connection::connect_ended() {
  const int error = upstream_->take_error();
  if (error == 0) {
    connect_deadline_ms_ = 0;
    server_->note_success();
    return attach(false);
  }
  return not_connected(error, http1::Loss::connect_failed);
}

// The engine takes the leg at once: one that stands beside a request that is not on it is no state to be frozen in.
Ask Connection::attach(bool reused) {
  state::UpstreamLeg& leg = state_.upstream.emplace();
  leg.upstream = route_->name();
  leg.write_at_ms = worker_.now_ms();
  leg.server = server_->address;
  leg.reused = reused;
  auto* http1 = std::get_if<state::Http1>(&state_.protocol);
  if (http1 != nullptr && worker_.rules().keep_access) http1->access.upstream = server_->address.text();
  return http1::advance(state_, context());
}

void Connection::park_upstream() {
  state_.upstream.reset();
  // A FIN may have come with the last bytes.
  if (server_ == nullptr || worker_.stopping() || (upstream_->readable() && !upstream_->is_quiet())) {
    return drop_upstream();
  }
  worker_.pool().give(*server_, std::move(upstream_), worker_.now_ms());
  server_ = nullptr;
}

void Connection::drop_upstream() {
  connect_deadline_ms_ = 0;
  server_ = nullptr;
  if (!upstream_) return;
  upstream_->close();
  worker_.loop().dispose(std::move(upstream_));
}

// ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

void Connection::log_exchange() {
  auto* http1 = std::get_if<state::Http1>(&state_.protocol);
  state::AccessRecord& access = http1 != nullptr ? http1->access : std::get<state::Tunnel>(state_.protocol).access;
  if (access.started_ms == 0) return;
  ++worker_.counters.requests;
  worker_.log_access(state_, access);
  access.started_ms = 0;
}

void Connection::close(bool with_reset) {
  log_exchange();
  drop_upstream();
  if (with_reset) {
    client_.close_with_reset();
  } else {
    client_.close();
  }
  worker_.deadlines().clear(*this);
  closed_ = true;
  worker_.remove(*this);
}

void Connection::set_deadline() {
  std::int64_t at = connect_deadline_ms_;
  if (at == 0) at = http1::deadline_ms(state_, rules());
  worker_.deadlines().set(*this, at);
}

}  // namespace baton::proxy
