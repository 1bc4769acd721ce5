#include "proxy/health/prober.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "handoff/result.hpp"
#include "proxy/health/grpc_check.hpp"
#include "proxy/health/http2_get.hpp"
#include "proxy/http1/head.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/tls/stream.hpp"
#include "proxy/upstream/connector.hpp"

namespace baton::health {

namespace {

// A head that is larger is no answer to a probe.
constexpr std::size_t head_bytes_max = 32 * 1024;
constexpr std::size_t read_bytes = 4 * 1024;

std::string request_of(const Target& target) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: baton-health\r\nConnection: close\r\n\r\n",
                     target.terms.path, target.authority());
}

}  // namespace

std::string Target::authority() const {
  if (!terms.host.empty()) return terms.host;
  if (address.family == state::Family::unix_path) return host.empty() ? "localhost" : host;
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return fmt::format("{}:{}", is_ipv6 ? "[" + host + "]" : host, address.port);
}

// One probe, from its connect to its result.
class Prober::Probe final : public runtime::SocketOwner, public runtime::Disposable {
 public:
  Probe(Prober& owner, std::uint64_t number, Target target)
      : id(number),
        deadline_ms(owner.loop_.now_ms() + target.terms.timeout.count()),
        owner_(owner),
        target_(std::move(target)) {}

  const std::uint64_t id;
  const std::int64_t deadline_ms;

  void begin() {
    state::SocketAddress address = target_.address;
    if (target_.terms.port != 0 && address.family != state::Family::unix_path) address.port = target_.terms.port;
    upstream::Connecting attempt = upstream::begin_connect(address);
    if (!attempt.socket) return end(std::strerror(attempt.error));
    stream_ = std::make_unique<tls::Stream>(owner_.loop_, std::move(attempt.socket), *this);
    if (!stream_->watch()) return end(std::strerror(errno));
    if (attempt.established) return connected();
    stream_->socket().note_writable(false);
  }

  void on_ready(runtime::Socket& socket) override {
    if (is_over_) return;
    switch (step_) {
      case Step::connecting:
        if (!socket.writable() && !socket.broken()) return;
        if (const int error = socket.take_error(); error != 0) return end(std::strerror(error));
        return connected();
      case Step::shaking:
        return shake();
      case Step::talking:
        return talk();
    }
  }

  void end_late() {
    const bool was_reached = step_ != Step::connecting;
    const auto limit_ms = target_.terms.timeout.count();
    end(was_reached ? fmt::format("no answer within {} ms", limit_ms)
                    : fmt::format("not reached within {} ms", limit_ms));
  }

  // Its result is no longer wanted.
  void close() {
    is_over_ = true;
    if (!stream_) return;
    stream_->say_goodbye(leg_);
    stream_->socket().close();
    owner_.loop_.dispose(std::move(stream_));
  }

 private:
  enum class Step { connecting, shaking, talking };

  void end(Result result) {
    close();
    owner_.end(*this, std::move(result));
  }

  void connected() {
    if (!target_.tls) return reached();
    step_ = Step::shaking;
    tls::SslPtr ssl = target_.tls->make(target_.host);
    if (!ssl) return end("TLS: the server has no name that a certificate could have");
    if (is_grpc() || (is_http() && target_.protocol == config::ServerProtocol::http2)) {
      tls::ClientContext::offer(*ssl, {"h2"});
    } else if (is_http() && target_.protocol == config::ServerProtocol::automatic) {
      tls::ClientContext::offer(*ssl, {"h2", "http/1.1"});
    }
    stream_->connect(std::move(ssl), nullptr, nullptr);
    leg_.tls.emplace().since_ms = owner_.loop_.now_ms();
    leg_.tls->sealed.append(header());  // ahead of the ClientHello
    shake();
  }

  void shake() {
    switch (stream_->shake(leg_, nullptr)) {
      case tls::Stream::Shake::waiting:
        return;
      case tls::Stream::Shake::failed:
        return end(fmt::format("TLS: {}", stream_->failure()));
      case tls::Stream::Shake::done:
        if ((is_grpc() || target_.protocol == config::ServerProtocol::http2) && !is_tcp() && !agrees_on_http2()) {
          return end("TLS: it does not agree on h2 (ALPN)");
        }
        return reached();
    }
  }

  std::string header() const {
    return target_.proxy_header ? arrival::make_proxy_header(*target_.proxy_header, {}, {}) : "";
  }

  void reached() {
    if (is_tcp()) return end({});
    step_ = Step::talking;
    if (!target_.tls) leg_.unsent.append(header());
    if (is_grpc()) {
      const std::string authority = target_.authority();
      grpc_ = std::make_unique<GrpcCheck>(GrpcCheck::Call{.authority = authority,
                                                          .service = target_.terms.service,
                                                          .is_over_tls = target_.tls != nullptr,
                                                          .timeout = target_.terms.timeout},
                                          leg_);
    } else if (target_.tls ? agrees_on_http2() : target_.protocol == config::ServerProtocol::http2) {
      const std::string authority = target_.authority();
      get_ = std::make_unique<Http2Get>(
          Http2Get::Request{.authority = authority, .path = target_.terms.path, .is_over_tls = target_.tls != nullptr},
          leg_);
    } else {
      leg_.unsent.append(request_of(target_));
    }
    talk();
  }
  bool is_grpc() const { return target_.terms.type == config::ProbeType::grpc; }
  bool is_http() const { return target_.terms.type == config::ProbeType::http; }
  bool is_tcp() const { return target_.terms.type == config::ProbeType::tcp; }
  bool agrees_on_http2() const { return leg_.tls && leg_.tls->facts.alpn.view() == http2::alpn_name; }

  void talk() {
    send();
    if (receive()) return;
    send();  // what an answer in HTTP/2 is to be answered with
    if (stream_->socket().broken()) end("it reset the connection");
  }

  void send() {
    while (stream_->has_to_send(leg_) && stream_->socket().writable()) {
      if (stream_->send(leg_, owner_.loop_.now_ms()) == runtime::Io::failed) return;  // an answer may have come before
    }
  }

  // True: the probe has ended.
  bool receive() {
    while (stream_->readable(leg_)) {
      switch (stream_->receive(leg_, read_bytes)) {
        case runtime::Io::done:
          if (grpc_ ? judge_grpc() : get_ ? judge_get() : judge()) return true;
          break;
        case runtime::Io::ended:
          return end_unanswered(), true;
        case runtime::Io::failed:
          return end("it reset the connection"), true;
        case runtime::Io::would_block:
          return false;
      }
      if (leg_.read_ended) return end_unanswered(), true;
    }
    return false;
  }

  void end_unanswered() {
    const bool has_begun = is_text() ? !leg_.unread.empty() : leg_.frames->settings_came;
    end(!has_begun   ? "it closed the connection without an answer"
        : !is_text() ? "it closed the connection before its answer was complete"
                     : "its answer ends in the head");
  }

  bool is_text() const { return !grpc_ && !get_; }

  bool judge_get() {
    auto answer = get_->read(owner_.loop_.now_ms());
    if (!answer) return false;
    if (answer->status != 0) return judge(answer->status), true;
    return end(std::move(answer->why)), true;
  }

  bool judge_grpc() {
    auto verdict = grpc_->read(owner_.loop_.now_ms());
    if (!verdict) return false;
    if (leg_.frames->settings_came && !leg_.frames->has_failed) GrpcCheck::say_goodbye(leg_.unsent);
    send();
    return end(std::move(*verdict)), true;
  }

  // True: the answer has been judged.
  bool judge() {
    for (;;) {
      const std::string_view received = leg_.unread.view();
      const http1::HeadEnd head_end = http1::find_head_end(received, scanned_);
      if (head_end.found == http1::HeadEnd::Found::malformed) return end("its answer is not HTTP"), true;
      if (head_end.found == http1::HeadEnd::Found::no) {
        if (received.size() <= head_bytes_max) return false;
        return end("the head of its answer is too large"), true;
      }
      http1::ResponseHead head;
      if (const auto error = http1::parse_response_head(received.substr(0, head_end.bytes), {}, head)) {
        return end(fmt::format("its answer is malformed: {}", error.text)), true;
      }
      if (head.status >= 200) return judge(head.status), true;
      leg_.unread.consume(head_end.bytes);
      scanned_ = 0;
      if (++interim_ > interim_max) return end("it sends only interim answers"), true;
    }
  }

  void judge(std::uint16_t status) {
    const auto has = [&](const config::StatusRange& range) { return range.has(status); };
    end(std::ranges::any_of(target_.terms.status, has) ? std::string() : fmt::format("status {}", status));
  }

  static constexpr unsigned interim_max = 10;

  Prober& owner_;
  const Target target_;
  std::unique_ptr<tls::Stream> stream_;
  state::UpstreamLeg leg_;
  Step step_ = Step::connecting;
  bool is_over_ = false;
  std::uint32_t scanned_ = 0;
  unsigned interim_ = 0;
  std::unique_ptr<GrpcCheck> grpc_;  // once the call was sent
  std::unique_ptr<Http2Get> get_;    // once the request was sent in HTTP/2
};

Prober::Prober(Done done) : done_(std::move(done)) {
  loop_.on_tick = [this](std::int64_t now_ms) { expire(now_ms); };
  loop_.on_failure = [](const std::exception& error) {
    runtime::log::error("a health check failed here: {}", handoff::describe(error));
  };
  thread_ = std::thread([this] { loop_.run(); });
  ::pthread_setname_np(thread_.native_handle(), "health");
}

Prober::~Prober() {
  loop_.stop();
  thread_.join();
  for (auto& [id, probe] : probes_) probe->close();
}

void Prober::probe(std::uint64_t id, Target target) {
  loop_.post([this, id, target = std::move(target)] { begin(id, target); });
}

void Prober::begin(std::uint64_t id, Target target) {
  const auto entry = probes_.insert_or_assign(id, std::make_unique<Probe>(*this, id, std::move(target))).first;
  entry->second->begin();
}

void Prober::end(Probe& probe, Result result) {
  const std::uint64_t id = probe.id;
  const auto found = probes_.find(id);
  loop_.dispose(std::move(found->second));
  probes_.erase(found);
  done_(id, std::move(result));
}

void Prober::expire(std::int64_t now_ms) {
  std::vector<Probe*> late;
  for (const auto& [id, probe] : probes_) {
    if (probe->deadline_ms <= now_ms) late.push_back(probe.get());
  }
  for (Probe* probe : late) probe->end_late();
}

}  // namespace baton::health
