// A thousand HTTP/2 connections with twenty open streams each are moved together, several times. None is lost, and
// every stream goes on with the right bytes.
//
// Four streams of a connection wait for their servers, so each process holds 5,000 descriptors; twenty would be 21,000,
// more than the usual limit of 20,000. The other sixteen have their answers, which the client's window of 20 bytes
// keeps in the proxy: they hold no connection to a server, but all of a stream's state that moves.
#include <gmock/gmock.h>

#include <iostream>
#include <memory>

#include "harness/baton.hpp"
#include "scale/child.hpp"
#include "scale/http2_clients.hpp"
#include "scale/scale_origin.hpp"

namespace baton::harness {
namespace {

constexpr std::size_t connections = 1'000;
constexpr Http2Streams streams{};
constexpr int upgrades = 2;
constexpr std::size_t descriptors_needed = connections * (1 + streams.with_server()) + 256;
constexpr int finish_timeout_ms = 300;
// Generous: only a failing test ever uses it up.
constexpr Milliseconds patience{120'000};

class Http2Scale : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::size_t limit = raised_descriptor_limit(); limit < descriptors_needed) {
      // CTest recognises a skipped test by this line (CMakeLists.txt), and so scripts/test reports it at its end.
      std::cout << "SKIPPED: " << connections << " connections need " << descriptors_needed
                << " descriptors for one process, and RLIMIT_NOFILE allows " << limit << std::endl;
      GTEST_SKIP();
    }
    Address origin = loopback(0);
    Fd listener = listen_on(origin, 4096);
    origin_part_ = std::make_unique<Child>([&] { run_scale_origin(board_, std::move(listener)); });
    listener.close();
    clients_part_ = std::make_unique<Child>([this] { run_http2_clients(board_, connections, streams); });

    Settings settings(origin);
    settings.binds = {loopback(free_port())};
    settings.more_upstreams =
        "  - { name: grpc, protocol: http2, servers: [ { address: \"" + origin.text() + "\" } ] }\n";
    settings.more = "routes:\n  - { match: { path_prefix: /grpc }, upstream: grpc }\n  - { upstream: web }\n";
    settings.timeouts = "idle: 10m, upstream_idle: 10m, response: 10m, send: 10m";
    settings.limits = "connections: 0";
    settings.handoff =
        "ready_timeout: 60s, step_timeout: 60s, finish_timeout: " + std::to_string(finish_timeout_ms) + "ms";
    board_.http_port = settings.binds.front().port;
    baton_ = std::make_unique<Baton>(settings);
  }

  // Gives the clients one task and waits until it is done.
  void order(Task task) {
    const std::uint32_t number = ++orders_;
    board_.task = task;
    board_.orders = number;
    const auto everybody_lives = [this] { return origin_part_->is_alive() && clients_part_->is_alive(); };
    await([&] { return board_.carried_out == number || board_.lost != 0 || !everybody_lives(); }, "the clients' task",
          patience);
    if (board_.lost != 0) {
      throw Failure(std::to_string(board_.lost) + " lost, the first was " + board_.first_loss + "\n" + baton_->log());
    }
    if (!everybody_lives()) throw Failure("clients or origin have ended\n" + baton_->log());
  }

  void print_times() const {
    const boost::json::object status = baton_->status();
    const boost::json::object& report = status.at("last_upgrade").as_object();
    const double moving_ms = report.at("duration_ms").to_number<double>() - finish_timeout_ms;
    const boost::json::object& pause = report.at("pause_us").as_object();
    std::cout << "  " << 1000 * moving_ms / connections << " us per connection of " << streams.all()
              << " streams, start of the successor included; pause of one: " << pause.at("p50") << " us in the median, "
              << pause.at("max") << " us at most\n  at most " << (peak_resident_bytes(baton_->pid()) >> 20)
              << " MiB of the successor resident" << std::endl;
  }

  Board& board_ = new_board();
  std::unique_ptr<Child> origin_part_;
  std::unique_ptr<Child> clients_part_;
  std::unique_ptr<Baton> baton_;
  std::uint32_t orders_ = 0;
};

TEST_F(Http2Scale, AThousandConnectionsMoveWithTwentyStreamsEachAndNoneIsLost) {
  order(Task::open);
  ASSERT_EQ(board_.opened, connections);
  for (int number = 1; number <= upgrades; ++number) {
    SCOPED_TRACE("upgrade " + std::to_string(number));
    baton_->begin_upgrade();
    const std::string report = baton_->finish_upgrade(patience);
    std::cout << report << "\n";
    print_times();
    EXPECT_THAT(report, testing::HasSubstr("moved=" + std::to_string(connections) + " "));
    EXPECT_THAT(report, testing::HasSubstr("taken_back=0, refused=0,"));
    order(Task::move_bytes);
  }
  EXPECT_EQ(board_.idle_answers, 0u) << "an answer was not kept back";
  order(Task::finish);
  EXPECT_EQ(board_.idle_answers, connections * streams.stalled_answers);
  EXPECT_EQ(baton_->number("accepted_total"), static_cast<std::int64_t>(connections));
}

}  // namespace
}  // namespace baton::harness
