#include "proxy/worker/worker.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <new>
#include <utility>

#include "handoff/insist.hpp"
#include "proxy/runtime/log.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

constexpr int accepts_per_event = 16;
constexpr std::int64_t expiry_every_ms = 250;
constexpr std::int64_t pause_line_every_ms = 10'000;
constexpr std::size_t idle_upstreams_kept = 64;
constexpr std::int64_t missed_lately_ms = 500;
constexpr std::int64_t without_pipe_ms = 1'000;

std::vector<upstream::Upstream*> upstreams_of(upstream::Pool& pool, const Settings& settings) {
  std::vector<upstream::Upstream*> upstreams;
  for (const upstream::UpstreamServers& one : settings.upstreams) upstreams.push_back(pool.find(one.name));
  return upstreams;
}

}  // namespace

// A listening socket in this worker's loop. Level-triggered and exclusive: one worker is woken for one connection.
class Worker::Acceptor final : public runtime::EventHandler {
 public:
  Acceptor(Worker& worker, ListeningSocket socket) : worker_(worker), socket_(std::move(socket)) {
    // Accepted sockets inherit these options. The kernel then holds little more for a client than is in flight to it.
    if (!socket_.unix_path) {
      const int unsent_bytes = runtime::Socket::unsent_bytes;
      ::setsockopt(socket_.descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes, sizeof unsent_bytes);
      runtime::keep_alive(socket_.descriptor, socket_.keepalive_s);
    }
    resume();
  }
  ~Acceptor() override { pause(); }

  // False: the kernel has no room.
  bool resume() {
    if (!watching_) watching_ = worker_.loop_.add(socket_.descriptor, EPOLLIN | EPOLLEXCLUSIVE, *this);
    return watching_;
  }
  void pause() {
    if (watching_) worker_.loop_.remove(socket_.descriptor);
    watching_ = false;
  }

  void on_events(std::uint32_t) override {
    for (int i = 0; i < accepts_per_event && watching_ && accept_one(); ++i) {
    }
  }

  // False: there is nothing to accept, or no room.
  bool accept_one() {
    Shared& shared = worker_.shared_;
    if (shared.is_full()) return pause_all(shared.why_full());
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    handoff::UniqueFd socket(::accept4(socket_.descriptor, reinterpret_cast<sockaddr*>(&address), &length,
                                       SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        return pause_all(std::strerror(errno));
      }
      return errno == EINTR || errno == ECONNABORTED;
    }
    if (!socket_.unix_path) {
      const int on = 1;
      ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    ++worker_.counters.accepted;
    worker_.listener_counts(worker_.listener_rules(socket_.listener)).accepted.add();
    worker_.take(std::move(socket), socket_, state::SocketAddress::from_sockaddr(address, length));
    return true;
  }

 private:
  bool pause_all(const char* why) {
    if (worker_.shared_.pause_line.opens(worker_.now_ms(), pause_line_every_ms)) {
      log::warning("accepting pauses: {}", why);
    }
    worker_.pause_accepting(Pause::until_room);
    return false;
  }

  Worker& worker_;               // owns this
  ListeningSocket socket_;
  bool watching_ = false;
};

Worker::Worker(std::shared_ptr<const Settings> settings, Shared& shared, access_log::AccessLog* access_log,
               unsigned number)
    : settings_(std::move(settings)),
      clients_(settings_->special_clients()),
      shared_(shared),
      running_(shared.roster != nullptr ? shared.roster->running(number) : own_running_),
      deadlines_(loop_.now_ms()),
      pool_(loop_, settings_->upstreams),
      upstreams_(upstreams_of(pool_, *settings_)),
      access_log_(access_log),
      id_base_((shared.generation & 0xffff) << 48 | static_cast<std::uint64_t>(number & 0xff) << 40) {
  begin_counting(*settings_);
  unix_offset_us_ = runtime::unix_us() - runtime::monotonic_us();
  loop_.count_sockets_in(shared_.sockets);
  loop_.on_tick = [this](std::int64_t now_ms) { tick(now_ms); };
  loop_.on_failure = [this](const std::exception& error) { note_failure(error); };
}

// Connections that are still served are reset unless they are idle: a FIN would make a truncated message look complete.
// Offered connections may belong to another process by now.
Worker::~Worker() {
  loop_address_->end();
  wake_ = nullptr;
  for (Connection* connection : at_boundary_) list(*connection);
  for (Connection* connection = first_; connection != nullptr;) {
    Connection* next = connection->next_;
    if (engine::is_idle(connection->state())) {
      connection->end();
    } else {
      connection->cut();
    }
    connection = next;
  }
  flush_access();
  settle();
  for (auto& [id, connection] : offered_) delete connection;
}

void Worker::run() {
  loop_.run();
  flush_access();
  settle();
}

// A request keeps what a split has given it as long as the split has it.
upstream::Upstream* Worker::share_for(state::Exchange& exchange, const routing::Route& route) {
  const routing::Share* share = routing::find_share(route.split, exchange.split_to.view());
  if (share == nullptr) {
    share = &routing::next_share(route.split, split_turns_[route.name]);
    exchange.split_to = share->upstream;
  }
  return upstreams_[share->upstream_index];
}

upstream::Upstream* Worker::upstream_for(state::Exchange& exchange, const routing::Route* route) {
  if (const auto* tunnel = std::get_if<state::Tunnelling>(&exchange.phase)) return pool_.find(tunnel->upstream);
  if (route == nullptr) return nullptr;
  if (!route->split.empty()) return share_for(exchange, *route);
  return route->upstream.empty() ? nullptr : upstreams_[route->upstream_index];
}

std::shared_ptr<Verifier::Question> Worker::ask_verifier(std::function<void(bool)> then) {
  auto question = std::make_shared<Verifier::Question>(std::exchange(scratch_.question, {}), std::move(then));
  return shared_.verifier.ask(question, loop_address_) ? question : nullptr;
}

void Worker::append_name_of(const state::UpstreamLeg& leg, std::string& out) const {
  const upstream::Upstream* const upstream = pool_.find(leg.upstream);
  const upstream::Server* const server = upstream == nullptr ? nullptr
                                         : leg.stream        ? upstream->find_any(leg.server)
                                                             : upstream->find(leg.server, state::terms_of(leg));
  if (server != nullptr) server->append_authority(out);
}

void Worker::tick(std::int64_t now_ms) {
  unix_offset_us_ = runtime::unix_us() - runtime::monotonic_us();
  deadlines_.advance(now_ms);
  pool_.fill_places(now_ms);
  if (now_ms >= next_expiry_ms_) {
    next_expiry_ms_ = now_ms + expiry_every_ms;
    if (settings_->ticket_keys) settings_->ticket_keys->rotate_if_due(now_ms);
    pool_.expire(now_ms, settings_->upstream_idle_ms);
    // No more idle connections than clients and their streams can be used at once; a few are kept for the next burst.
    pool_.trim(std::max<std::size_t>(count_ + streams_peak_, idle_upstreams_kept));
    streams_peak_ = streams_;
  }
  // Idle connections make room for expected ones and for clients.
  if (!shared_.has_sockets_for_expected()) {
    pool_.trim(0);
  } else if (shared_.has_few_sockets_left()) {
    pool_.trim(pool_.idle() / 2);
  }
  const std::int64_t missed_ms = shared_.upstream_missed_ms.load(std::memory_order_relaxed);
  if (missed_ms + missed_lately_ms > now_ms && shared_.has_all_upstream_connections()) pool_.trim(pool_.idle() / 2);
  // Clients that come and go are counted a moment before or after their sockets, so the limit may have been exceeded.
  const std::uint64_t most = shared_.upstream_sockets_max.load(std::memory_order_relaxed);
  const std::uint64_t allowed = most + shared_.connections.load(std::memory_order_relaxed);
  const std::uint64_t open = shared_.sockets.load(std::memory_order_relaxed);
  if (most != 0 && open > allowed) pool_.trim(pool_.idle() - std::min<std::size_t>(pool_.idle(), open - allowed));
  if (experiment_ != nullptr && now_ms >= next_count_open_ms_) count_open_exchanges(now_ms);
  flush_access();
  settle();
  // Idle connections are worth less than active ones.
  if (std::exchange(short_of_memory_, false)) pool_.trim(pool_.idle() / 2);
  if (accepting_paused_) accepting_may_go_on();
  if (wake_ && !finish_announced_ && now_ms >= finish_at_ms_) {
    finish_announced_ = true;
    wake_();
  }
}

// ── Connections ───────────────────────────────────────────────────────────────────────────────────────────────────

void Worker::take(handoff::UniqueFd socket, const ListeningSocket& from, const state::SocketAddress& client) {
  state::ConnectionState state;
  state.id = next_id();
  state.listener = from.listener;
  state.client_address = client;
  state.client.descriptor.number = socket.get();
  if (from.is_arriving) {
    state.protocol = state::Arriving{.since_ms = now_ms()};
  } else if (from.tunnel_to.empty()) {
    auto& http1 = std::get<state::Http1>(state.protocol);
    std::get<state::AwaitingRequest>(http1.phase).since_ms = now_ms();
  } else {
    begin_tunnel(state, from.tunnel_to);
  }
  if (from.tls && !from.is_arriving) state.client.tls.emplace().since_ms = now_ms();
  auto connection = std::make_unique<Connection>(*this, std::move(state), std::move(socket));
  if (connection->count_for_client()) return note_one_too_many(connection->state());
  if (!connection->watch()) return;
  Connection& added = *connection.release();
  shared_.connections.fetch_add(1, std::memory_order_relaxed);
  ++count_;
  list(added);
  remember(added);
  if (only_canary_ && boundary(added)) return;
  added.run();
}

runtime::Pipe* Worker::pipe() {
  if (pipe_ && !pipe_->is_usable()) {
    pipe_.reset();
    no_pipe_before_ms_ = std::numeric_limits<std::int64_t>::max();
  }
  if (!pipe_ && now_ms() >= no_pipe_before_ms_) {
    pipe_ = runtime::Pipe::open();
    if (!pipe_) no_pipe_before_ms_ = now_ms() + without_pipe_ms;
  }
  return pipe_ ? &*pipe_ : nullptr;
}

void Worker::begin_tunnel(state::ConnectionState& state, std::string_view upstream) const {
  state.protocol = state::Raw{};
  state::Exchange& exchange = state.exchange.emplace();
  exchange.phase = state::Tunnelling{.upstream = upstream, .attempts = 0};
  exchange.started_ms = now_ms();
  exchange.started_unix_us = now_ms() * 1000 + unix_offset_us_;
  if (rules().keep_access) exchange.access.emplace().request_line = "TCP";
}

void Worker::list(Connection& connection) {
  connection.next_ = first_;
  connection.previous_ = nullptr;
  if (first_ != nullptr) first_->previous_ = &connection;
  first_ = &connection;
  connection.listed_ = true;
  ++listed_;
  if (connection.stays_) ++staying_;
}

void Worker::unlist(Connection& connection) {
  if (!connection.listed_) return;
  if (sweep_ == &connection) sweep_ = connection.next_;
  if (connection.previous_ != nullptr) connection.previous_->next_ = connection.next_;
  if (connection.next_ != nullptr) connection.next_->previous_ = connection.previous_;
  if (first_ == &connection) first_ = connection.next_;
  connection.previous_ = connection.next_ = nullptr;
  connection.listed_ = false;
  --listed_;
  if (connection.stays_) --staying_;
}

void Worker::remove(Connection& connection) {
  unlist(connection);
  --count_;
  shared_.connections.fetch_sub(1, std::memory_order_relaxed);
  loop_.dispose(std::unique_ptr<runtime::Disposable>(&connection));
  if (wake_ && listed_ == staying_) wake_();
  if (accepting_paused_ == Pause::until_room) accepting_may_go_on();
}

std::shared_ptr<const tls::ServerContext> Worker::server_context(std::string_view listener) const {
  const auto found = settings_->tls.find(listener);
  return found == settings_->tls.end() ? nullptr : found->second;
}

// ── Accepting and stopping ────────────────────────────────────────────────────────────────────────────────────────

void Worker::accept_on(const std::vector<ListeningSocket>& sockets) {
  stop_accepting();
  pool_.begin_adopting();
  for (const auto& socket : sockets) {
    auto& acceptor = acceptors_.emplace_back(std::make_unique<Acceptor>(*this, socket));
    if (!acceptor->resume()) accepting_paused_ = Pause::a_moment;  // the kernel has no room now: again at a tick
  }
}

void Worker::stop_accepting() {
  accepting_paused_.reset();
  for (auto& acceptor : acceptors_) {
    acceptor->pause();
    loop_.dispose(std::move(acceptor));
  }
  acceptors_.clear();
}

void Worker::pause_accepting(Pause pause) {
  for (auto& acceptor : acceptors_) acceptor->pause();
  accepting_paused_ = pause;
}

void Worker::accepting_may_go_on() {
  if (shared_.is_full()) return;
  accepting_paused_.reset();
  for (auto& acceptor : acceptors_) {
    if (!acceptor->resume()) accepting_paused_ = Pause::a_moment;
  }
}

void Worker::settle() noexcept {
  pool_.settle(now_ms());
  tally_.settle();
  fields_dropped_.add(std::exchange(scratch_.fields_dropped, 0));
  fields_dropped_.settle([] { return "request_fields_dropped_total"; });
  aborted_.settle([] { return "connections_aborted_total"; });
}

void Worker::begin_counting(const Settings& settings) {
  std::vector<std::string> listeners;
  for (const config::Listener& listener : settings.config.listeners) listeners.push_back(listener.name);
  std::vector<std::string> routes;
  for (const routing::Route& route : settings.routes.routes()) routes.push_back(route.name);
  tally_.begin(std::move(listeners), std::move(routes));
}

void Worker::reconfigure(std::shared_ptr<const Settings> settings, access_log::AccessLog* access_log) {
  std::vector<upstream::Upstream*> upstreams(settings->upstreams.size());
  settle();
  pool_.update(settings->upstreams);  // may throw, and then nothing has changed
  for (std::size_t i = 0; i < upstreams.size(); ++i) upstreams[i] = pool_.find(settings->upstreams[i].name);
  upstreams_ = std::move(upstreams);
  split_turns_.clear();  // their weights may have changed
  flush_access();
  access_log_ = access_log;
  settings_ = std::move(settings);
  clients_ = settings_->special_clients();
  handoff::insist([this] { begin_counting(*settings_); });
  shared_.failure_lines.forget();
  for (Connection* connection = first_; connection != nullptr;) {
    Connection* next = connection->next_;
    connection->reconfigured();
    connection = next;
  }
  pool_.forget_replaced();
}

void Worker::empty_queue(const ListeningSocket& socket) {
  auto acceptor = std::make_unique<Acceptor>(*this, socket);
  while (acceptor->accept_one()) {
  }
  acceptor->pause();
  loop_.dispose(std::move(acceptor));
}

void Worker::begin_drain() {
  stopping_ = true;
  pool_.expire(now_ms(), 0);
  for (Connection* connection = first_; connection != nullptr;) {
    Connection* next = connection->next_;
    connection->announce_end();
    connection = next;
  }
}

void Worker::begin_stop() {
  begin_drain();
  for (Connection* connection = first_; connection != nullptr;) {
    Connection* next = connection->next_;
    if (engine::is_idle(connection->state())) connection->end_if_idle();
    connection = next;
  }
}

void Worker::each(const std::function<void(const state::ConnectionState&)>& visit) const {
  for (const Connection* one = first_; one != nullptr; one = one->next_) visit(one->state());
}

std::size_t Worker::cut_all() {
  std::size_t cut = 0;
  for (Connection* connection = first_; connection != nullptr; ++cut) {
    Connection* next = connection->next_;
    connection->cut();
    connection = next;
  }
  return cut;
}

}  // namespace baton::proxy
