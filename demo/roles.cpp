#include "demo/roles.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <istream>
#include <iterator>
#include <ostream>
#include <stdexcept>
#include <thread>

#include "demo/certificate.hpp"
#include "demo/load.hpp"
#include "demo/origin.hpp"
#include "demo/patience.hpp"

namespace baton::demo {

using boost::asio::ip::tcp;

namespace {

constexpr std::chrono::milliseconds nap{20};

// One client of each kind, except for two uploads: one by length, one in chunks.
constexpr Mix mix_of_each_kind{.keep_alive = 1,
                               .idle = 1,
                               .half_head = 1,
                               .download = 1,
                               .slow_reader = 1,
                               .events = 1,
                               .upload = 2,
                               .websocket = 1,
                               .http2 = 1,
                               .grpc = 1,
                               .raw_tcp = 1,
                               .newcomers_per_second = 5,
                               .pause = Microseconds{20'000}};

Certificate trusted(const ClientsRole& role) {
  std::ifstream file(role.ca);
  const std::string pem(std::istreambuf_iterator<char>(file), {});
  if (pem.empty()) throw std::runtime_error("cannot read " + role.ca);
  return {.certificate = pem, .key = {}, .host = role.name};
}

std::vector<Crowd> make_crowds(const ClientsRole& role) {
  const Certificate certificate = trusted(role);
  boost::asio::io_context context;
  tcp::resolver resolver(context);
  std::vector<Crowd> crowds;
  for (const std::string& host : role.hosts) {
    const auto address = resolver.resolve(host, "")->endpoint().address();
    for (const Transport transport : all_transports) {
      const bool plain = transport == Transport::plain;
      Crowd crowd{.transport = transport, .server = {}, .mix = mix_of_each_kind};
      crowd.server.http = {{address, plain ? role.http_port : role.tls_port}, client_context(certificate, transport)};
      crowd.server.tcp = {{address, role.tcp_port}, nullptr};
      if (!plain) crowd.mix.raw_tcp = 0;  // there is no such listener
      crowds.push_back(std::move(crowd));
    }
  }
  return crowds;
}

// The clients, and the questions about them.
class Watch {
 public:
  Watch(const ClientsRole& role, std::ostream& answers) : answers_(answers), crowds_(make_crowds(role)) {
    for (const Crowd& crowd : crowds_) clients_ += crowd.mix.clients();
  }

  // False: a client has reported a fault, which `answers` describes.
  bool ready() {
    const auto opened = [this] { return tally_.lasting_opened() >= clients_; };
    return await(opened) && ask("ready");
  }

  bool ask(std::string_view word) {
    load_.ask();
    return await([this] { return load_.silent() == 0; }) && report(word);
  }

  bool finish() {
    load_.finish();
    return await([this] { return load_.unfinished() == 0; }) && report("whole");
  }

 private:
  // A client that gets no answer reports it after `hung_after`, so this ends. A client that does not wait for an answer
  // is busy sending, and the other side has to take its data.
  bool await(const std::function<bool()>& done) {
    const auto until = Clock::now() + 3 * hung_after;
    while (!done() && is_content()) {
      if (Clock::now() > until) {
        answers_ << "FAILED: a client received nothing within a minute" << std::endl;
        return false;
      }
      std::this_thread::sleep_for(nap);
    }
    for (const std::string& complaint : tally_.complaints()) answers_ << "FAILED " << complaint << std::endl;
    return is_content();
  }

  bool report(std::string_view word) {
    answers_ << fmt::format("{}: {} clients, one connection each, {:.1f} MB compared", word, clients_,
                            static_cast<double>(load_.moved_bytes()) / 1e6)
             << std::endl;
    return true;
  }

  bool is_content() const { return tally_.totals().errors() + tally_.totals().closes() == 0; }

  std::ostream& answers_;
  std::vector<Crowd> crowds_;
  std::uint64_t clients_ = 0;  // whose connections last
  Tally tally_;
  Load load_{crowds_, tally_};
};

}  // namespace

int run(const OriginRole& role) {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM}) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const tcp::endpoint any(tcp::v4(), 0);
  const Origin origin(honest_reply, {.http = {any.address(), role.http_port},
                                     .tcp = {any.address(), role.echo_port},
                                     .tls_http = free_port(),
                                     .tls_tcp = free_port()});
  int signal = 0;
  ::sigwait(&signals, &signal);
  return 0;
}

int run(const ClientsRole& role, std::istream& questions, std::ostream& answers) {
  // A signal has no default action in the first process of a container.
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int number) { ::_exit(128 + number); });
  Watch watch(role, answers);
  if (!watch.ready()) return 1;
  for (std::string question; std::getline(questions, question);) {
    if (!watch.ask("alive")) return 1;
  }
  return watch.finish() ? 0 : 1;
}

int run(const CertificateRole& role) {
  const std::filesystem::path folder(role.folder);
  if (std::filesystem::exists(folder / "site.pem")) return 0;
  store(make_certificate(role.name), folder / "site");
  return 0;
}

}  // namespace baton::demo
