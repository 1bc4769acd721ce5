#include "proxy/process/dns.hpp"

#define CARES_NO_DEPRECATED  // later versions deprecate parts that the oldest supported one has no successors for
#include <ares.h>
#include <arpa/nameser.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <new>
#include <tuple>

#include "config/names.hpp"

namespace baton::process {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// A lost packet is sent again, twice: after a seventh of the time that there is, at most a second, and then after twice
// as long. (The third one is waited for four times as long.)
constexpr int tries = 3;
constexpr milliseconds first_timeout_max(1'000);
int first_timeout_ms(milliseconds limit) {
  return static_cast<int>(std::clamp(limit / 7, milliseconds(1), first_timeout_max).count());
}
constexpr unsigned weight_max = 256;

int family_of(config::NameFamily family) {
  switch (family) {
    case config::NameFamily::any:
      return AF_UNSPEC;
    case config::NameFamily::ipv4:
      return AF_INET;
    case config::NameFamily::ipv6:
      return AF_INET6;
  }
  return AF_UNSPEC;
}

bool does_not_exist(int status) {
  return status == ARES_ENOTFOUND || status == ARES_ENODATA;
}

// One question while it is asked. The library calls back with its address.
struct Asked {
  const Question* question;
  Answer answer;
  std::vector<unsigned> priorities{};  // of each of `found`, with SRV
};

struct Target {
  Asked* asked;
  unsigned priority;
  unsigned weight;
};

// All questions to the same name servers.
class Channel {
 public:
  Channel(const std::vector<config::Address>& nameservers, milliseconds limit) {
    ares_options options{};
    options.timeout = first_timeout_ms(limit);
    options.tries = tries;
    options.sock_state_cb = [](void* self, ares_socket_t socket, int readable, int writable) {
      static_cast<Channel*>(self)->note(socket, readable != 0, writable != 0);
    };
    options.sock_state_cb_data = this;
    status_ = ares_init_options(&channel_, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (status_ != ARES_SUCCESS) return;
    std::string servers;
    for (const config::Address& one : nameservers) servers += (servers.empty() ? "" : ",") + one.text();
    if (!servers.empty()) status_ = ares_set_servers_ports_csv(channel_, servers.c_str());
  }
  ~Channel() {
    if (channel_ != nullptr) ares_destroy(channel_);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  void begin(Asked& asked) {
    if (status_ != ARES_SUCCESS) {
      asked.answer.failure = ares_strerror(status_);
      return;
    }
    const config::Address& address = asked.question->address;
    if (address.srv.empty()) return look_up(asked, address.host, address.port, 0, 0);
    ++open_;
    auto* call = new Call{this, {&asked, 0, 0}};
    ares_search(
        channel_, address.srv.c_str(), ns_c_in, ns_t_srv,
        [](void* made, int status, int, unsigned char* bytes, int size) {
          finish(made,
                 [&](Channel& channel, Target& target) { channel.take_records(*target.asked, status, bytes, size); });
        },
        call);
  }

  bool is_done() const { return open_ == 0; }
  bool has_run_out_of_memory() const { return out_of_memory_; }
  void cancel() { ares_cancel(channel_); }

  // The sockets to poll.
  const std::map<ares_socket_t, short>& sockets() const { return sockets_; }
  // Until the next packet has to be sent again.
  int timeout_ms(int most) {
    timeval longest{.tv_sec = most / 1000, .tv_usec = most % 1000 * 1000};
    timeval next{};
    const timeval* const chosen = ares_timeout(channel_, &longest, &next);
    return chosen == nullptr ? most : static_cast<int>(chosen->tv_sec * 1000 + (chosen->tv_usec + 999) / 1000);
  }
  void process(ares_socket_t readable, ares_socket_t writable) { ares_process_fd(channel_, readable, writable); }

 private:
  // What the library gets to call back with.
  struct Call {
    Channel* channel;
    Target target;
  };

  // The library is C: no exception may pass through it.
  template <class Step>
  static void finish(void* made, Step step) noexcept {
    const std::unique_ptr<Call> call(static_cast<Call*>(made));
    --call->channel->open_;
    try {
      step(*call->channel, call->target);
    } catch (const std::bad_alloc&) {
      call->channel->out_of_memory_ = true;
    }
  }

  void note(ares_socket_t socket, bool readable, bool writable) noexcept {
    try {
      if (!readable && !writable) {
        sockets_.erase(socket);
      } else {
        sockets_[socket] = static_cast<short>((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
      }
    } catch (const std::bad_alloc&) {
      out_of_memory_ = true;
    }
  }

  void look_up(Asked& asked, const std::string& host, unsigned port, unsigned priority, unsigned weight) {
    ares_addrinfo_hints hints{};
    hints.ai_flags = ARES_AI_NUMERICSERV | ARES_AI_NOSORT;
    hints.ai_family = family_of(asked.question->family);
    hints.ai_socktype = SOCK_STREAM;
    const std::string service = std::to_string(port);
    auto* call = new Call{this, {&asked, priority, weight}};
    ++open_;
    ares_getaddrinfo(
        channel_, host.c_str(), service.c_str(), &hints,
        [](void* made, int status, int, ares_addrinfo* list) {
          const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> found(list, ares_freeaddrinfo);
          finish(made, [&](Channel&, Target& target) { take_addresses(target, status, found.get()); });
        },
        call);
  }

  static void take_addresses(Target& target, int status, const ares_addrinfo* found) {
    Answer& answer = target.asked->answer;
    const bool is_srv = !target.asked->question->address.srv.empty();
    if (status != ARES_SUCCESS) {
      // A target that does not exist is left out; one that may exist is missing.
      if (!is_srv || !does_not_exist(status)) answer.failure = ares_strerror(status);
      return;
    }
    for (const ares_addrinfo_node* one = found->nodes; one != nullptr; one = one->ai_next) {
      if (one->ai_family != AF_INET && one->ai_family != AF_INET6) continue;
      sockaddr_storage storage{};
      std::copy_n(reinterpret_cast<const char*>(one->ai_addr), one->ai_addrlen, reinterpret_cast<char*>(&storage));
      target.asked->priorities.push_back(target.priority);
      answer.found.push_back({state::SocketAddress::from_sockaddr(storage, static_cast<socklen_t>(one->ai_addrlen)),
                              is_srv ? target.weight + 1 : 0, false});
    }
  }

  void take_records(Asked& asked, int status, unsigned char* bytes, int size) {
    ares_srv_reply* list = nullptr;
    if (status == ARES_SUCCESS) status = ares_parse_srv_reply(bytes, size, &list);
    const std::unique_ptr<void, decltype(&ares_free_data)> owned(list, ares_free_data);
    if (status != ARES_SUCCESS) {
      asked.answer.failure = ares_strerror(status);
      return;
    }
    std::size_t count = 0;
    for (const ares_srv_reply* one = list; one != nullptr && count < found_max; one = one->next) {
      const std::string host = one->host;
      if (host.empty() || host == "." || one->port == 0) continue;  // the service is not offered
      ++count;
      look_up(asked, host, one->port, one->priority, one->weight);
    }
  }

  ares_channel channel_ = nullptr;
  int status_ = ARES_SUCCESS;
  std::size_t open_ = 0;  // questions without an answer
  bool out_of_memory_ = false;
  std::map<ares_socket_t, short> sockets_;
};

auto order_of(const state::SocketAddress& address) {
  return std::tie(address.family, address.ip, address.port, address.scope);
}

// Weights of SRV records have 16 bits, and are compared only with those of the same priority; 0 is a small chance.
void apply_records(Asked& asked) {
  std::vector<state::NamedServer>& found = asked.answer.found;
  if (found.empty()) return;
  const unsigned best = *std::ranges::min_element(asked.priorities);
  std::map<unsigned, unsigned> heaviest;
  for (std::size_t i = 0; i < found.size(); ++i) {
    unsigned& most = heaviest[asked.priorities[i]];
    most = std::max(most, found[i].weight - 1);
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    const unsigned most = heaviest[asked.priorities[i]];
    const unsigned weight = found[i].weight - 1;
    found[i].weight = std::max(1u, most <= weight_max ? weight : weight * weight_max / most);
    found[i].backup = asked.priorities[i] != best;
  }
}

Answer finished(Asked& asked) {
  Answer& answer = asked.answer;
  if (!asked.question->address.srv.empty()) apply_records(asked);
  std::ranges::sort(answer.found, [](const auto& a, const auto& b) {
    return std::tuple(order_of(a.address), a.backup, b.weight) < std::tuple(order_of(b.address), b.backup, a.weight);
  });
  const auto again = std::ranges::unique(answer.found, {}, &state::NamedServer::address);
  answer.found.erase(again.begin(), again.end());
  if (answer.found.size() > found_max) answer.found.resize(found_max);
  if (answer.found.empty() && answer.failure.empty()) answer.failure = "no server is offered";
  return std::move(answer);
}

// Waits for whatever comes first on any channel, and passes it on.
void step(std::deque<Channel>& channels, int most_ms) {
  std::vector<pollfd> polled;
  std::vector<Channel*> owners;
  int wait_ms = most_ms;
  for (Channel& channel : channels) {
    if (channel.is_done()) continue;
    wait_ms = std::min(wait_ms, channel.timeout_ms(most_ms));
    for (const auto& [socket, events] : channel.sockets()) {
      polled.push_back({socket, events, 0});
      owners.push_back(&channel);
    }
  }
  if (::poll(polled.data(), polled.size(), wait_ms) < 0) return;
  for (std::size_t i = 0; i < polled.size(); ++i) {
    const short what = polled[i].revents;
    if (what == 0) continue;
    owners[i]->process((what & ~POLLOUT) != 0 ? polled[i].fd : ARES_SOCKET_BAD,
                       (what & POLLOUT) != 0 ? polled[i].fd : ARES_SOCKET_BAD);
  }
  for (Channel& channel : channels) {
    if (!channel.is_done()) channel.process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // what is late
  }
}

}  // namespace

std::string Question::text() const {
  std::string text = fmt::format("{} {}", address.text(), config::name_of(family, config::name_families));
  for (const config::Address& one : nameservers) text += " " + one.text();
  return text;
}

std::vector<Answer> ask(std::span<const Question> questions, milliseconds limit) {
  static const int ready = ares_library_init(ARES_LIB_INIT_ALL);
  (void)ready;
  std::deque<Asked> asked;
  std::deque<Channel> channels;
  std::map<std::string, Channel*> by_nameservers;
  for (const Question& question : questions) {
    std::string key;
    for (const config::Address& one : question.nameservers) key += one.text() + ",";
    Channel*& channel = by_nameservers[key];
    if (channel == nullptr) channel = &channels.emplace_back(question.nameservers, limit);
    channel->begin(asked.emplace_back(Asked{&question, {}}));
  }
  const auto until = Clock::now() + limit;
  const auto is_done = [](const Channel& channel) { return channel.is_done(); };
  while (!std::ranges::all_of(channels, is_done)) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    if (left.count() <= 0) break;
    step(channels, static_cast<int>(std::min(left, milliseconds(60'000)).count()));
  }
  bool out_of_memory = false;
  for (Channel& channel : channels) {
    if (!channel.is_done()) channel.cancel();
    out_of_memory |= channel.has_run_out_of_memory();
  }
  if (out_of_memory) throw std::bad_alloc();
  std::vector<Answer> answers;
  for (Asked& one : asked) answers.push_back(finished(one));
  return answers;
}

}  // namespace baton::process
