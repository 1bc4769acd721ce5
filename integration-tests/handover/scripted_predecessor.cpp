#include "scripted_predecessor.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <filesystem>

#include "harness/baton.hpp"
#include "proxy/state/codec.hpp"
#include "proxy/state/instance_record.hpp"

namespace baton::harness {

namespace {

constexpr std::string_view our_pid_file = "4194000\n";  // of any process; it must only stay unchanged

handoff::Deadline soon() {
  return handoff::Clock::now() + wait_max;
}

std::string state_of_idle(std::uint64_t id) {
  state::ConnectionState state;
  state.id = id;
  state.listener = "web";
  state.client_address.family = state::Family::ipv4;
  state.client_address.ip = {127, 0, 0, 1};
  state.protocol = state::Http1{.phase = state::AwaitingRequest{.since_ms = handoff::monotonic_us() / 1000}};
  return state::encode(state);
}

}  // namespace

LiveClient::LiveClient(const Address& to, int listener, std::uint64_t its_id)
    : client(to), served(Fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK))), id(its_id) {}

void LiveClient::expect_untouched() {
  served.send("from the predecessor");
  EXPECT_EQ(client.read_exactly(20), "from the predecessor");
  client.send("to the predecessor");
  EXPECT_EQ(served.read_exactly(18), "to the predecessor");
}

ScriptedPredecessor::ScriptedPredecessor(const Origin& origin, std::size_t clients) : settings_(origin.address()) {
  settings_.binds = {loopback(0)};
  listener_ = listen_on(settings_.binds.front());
  ::fcntl(listener_.get(), F_SETFL, O_NONBLOCK);  // like a predecessor's sockets
  settings_.handoff = "step_timeout: 1s, drain_timeout: 5s";
  replace_file(directory_ / "baton.yaml", to_yaml(settings_, directory_));
  replace_file(directory_ / "baton.pid", our_pid_file);
  lock_ = std::move(*handoff::InstanceLock::on_file(directory_ / "handoff.sock.lock"));
  if (!lock_.try_take()) throw Failure("the lock is not free");
  for (std::size_t i = 0; i < clients; ++i) clients_.emplace_back(address(), listener_.get(), 100 + i);
  start_successor();
}

void ScriptedPredecessor::start_successor() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw Failure("no channel");
  channel_ = std::make_unique<handoff::Channel>(handoff::UniqueFd(ends[0]));
  const Fd passed(::dup(ends[1]));  // a duplicate is not close-on-exec
  ::close(ends[1]);
  successor_ = std::make_unique<Process>(Command{{baton_binary(), "run", "-c", directory_ / "baton.yaml"},
                                                 {"BATON_HANDOFF=" + std::to_string(passed.get())}});
}

// ── The conversation ──────────────────────────────────────────────────────────────────────────────────────────────

void ScriptedPredecessor::send_hello() {
  (void)handoff::send_record(*channel_, handoff::Kind::hello, handoff::make_hello({7, ::getpid(), "script"}, {}),
                             soon());
}

void ScriptedPredecessor::send_inherit() {
  handoff::wire::Inherit inherit;
  auto& socket = *inherit.add_sockets();
  socket.set_name("web");
  socket.set_address(address().text());
  inherit.set_application(state::encode(state::InstanceRecord{
      .handoff_socket = directory_ / "handoff.sock",
      .pid_file = directory_ / "baton.pid",
      .admin = "unix:" + directory_ / "admin.sock",
      .signals = {},
  }));
  inherit.set_last(true);
  const int listener = listener_.get();
  (void)handoff::send_record(*channel_, handoff::Kind::inherit, inherit, soon(), {&listener, 1});
}

void ScriptedPredecessor::send_listen() {
  (void)handoff::send_record(*channel_, handoff::Kind::listen, handoff::wire::Listen{}, soon());
}

void ScriptedPredecessor::send_offer() {
  handoff::wire::Offer offer;
  std::vector<int> descriptors;
  for (const LiveClient& live : clients_) {
    auto& parcel = *offer.add_parcels();
    parcel.set_id(live.id);
    parcel.set_descriptors(1);
    parcel.set_payload(state_of_idle(live.id));
    descriptors.push_back(live.served.fd());
  }
  (void)handoff::send_record(*channel_, handoff::Kind::offer, offer, soon(), descriptors);
}

void ScriptedPredecessor::send_done() {
  handoff::wire::Done done;
  done.set_application(state::encode(state::InstanceRecord{.signals = {}}));
  (void)handoff::send_record(*channel_, handoff::Kind::done, done, soon());
}

void ScriptedPredecessor::await(handoff::Kind kind) {
  auto frame = handoff::receive_kind(*channel_, kind, soon());
  if (!frame) throw Failure(frame.error().text + "\n" + successor_->err());
  if (kind != handoff::Kind::adopted) return;
  const auto adopted = handoff::parse<handoff::wire::Adopted>(*frame);
  if (!adopted || static_cast<std::size_t>(adopted->taken_size()) != clients_.size()) {
    throw Failure("the successor did not adopt every client\n" + successor_->err());
  }
}

void ScriptedPredecessor::converse_through(const std::string& step) {
  using handoff::Kind;
  struct Turn {
    const char* step;
    void (ScriptedPredecessor::*send)();
    Kind answer;
  };
  const Turn turns[] = {{"Hello", &ScriptedPredecessor::send_hello, Kind::hello},
                        {"Inherit", &ScriptedPredecessor::send_inherit, Kind::ready},
                        {"Listen", &ScriptedPredecessor::send_listen, Kind::listening},
                        {"Offer", &ScriptedPredecessor::send_offer, Kind::adopted}};
  if (step.empty()) return;
  for (const Turn& turn : turns) {
    (this->*turn.send)();
    await(turn.answer);
    if (step == turn.step) return;
  }
  throw Failure("there is no step " + step);
}

// ── Failing ───────────────────────────────────────────────────────────────────────────────────────────────────────

void ScriptedPredecessor::die() {
  lock_ = {};
  listener_.close();
  for (LiveClient& live : clients_) live.served.close();
  channel_.reset();
}

void ScriptedPredecessor::give_up() {
  channel_->shut_down();
}

void ScriptedPredecessor::write_raw(std::string_view bytes) {
  if (::send(channel_->descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0)
    throw Failure("the channel is closed");
}

// ── The successor ─────────────────────────────────────────────────────────────────────────────────────────────────

void ScriptedPredecessor::stop_successor() {
  successor_->signal(SIGSTOP);
  harness::await(
      [this] {
        const std::string stat = read_file("/proc/" + std::to_string(successor_->pid()) + "/stat");
        const std::size_t name_end = stat.rfind(") ");
        return name_end != std::string::npos && stat[name_end + 2] == 'T';
      },
      "the successor to stop");
}

void ScriptedPredecessor::continue_successor() {
  successor_->signal(SIGCONT);
}

void ScriptedPredecessor::expect_it_ends_and_leaves_us_alone() {
  EXPECT_EQ(successor_->await_exit(), (Ended{1, 0})) << successor_->err();
  EXPECT_EQ(read_file(directory_ / "baton.pid"), our_pid_file);
  std::size_t temporaries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    temporaries += entry.path().extension() == ".tmp" ? 1 : 0;
  }
  EXPECT_EQ(temporaries, 0u);
  // A client that connects now is ours: no other process takes from the queue.
  Client late(address());
  pollfd queue{listener_.get(), POLLIN, 0};
  ::poll(&queue, 1, Deadline().poll_ms());
  const Fd accepted(::accept(listener_.get(), nullptr, nullptr));
  EXPECT_TRUE(accepted);
}

void ScriptedPredecessor::expect_it_is_the_instance() {
  const std::string named = std::to_string(successor_->pid()) + "\n";
  harness::await([&] { return read_file(directory_ / "baton.pid") == named; }, "the PID file to name the successor");
  EXPECT_EQ(Client(address()).get("/bytes/9").body, pattern(9)) << successor_->err();
}

}  // namespace baton::harness
