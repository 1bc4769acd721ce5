// How the scale test's three processes (the test, the clients, the origin) communicate: one page of shared memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace baton::harness {

// What the clients do besides what always runs: steady clients ask, streams flow, tunnels talk.
enum class Task : std::uint32_t {
  none,
  open,        // every connection; each counts as opened once it has proven that it works
  ask_idle,    // one request on every idle connection
  move_bytes,  // until some have arrived on every stream and tunnel
  finish,      // steady clients stop, tunnels get all of their echoes back, streams come to their end
  leave,
};

struct Board {
  // The test's orders, carried out one after another. `orders` is written last, and `carried_out` follows it.
  std::atomic<Task> task = Task::none;
  std::atomic<std::uint32_t> orders = 0;
  std::atomic<std::uint32_t> carried_out = 0;
  std::atomic<std::uint16_t> http_port = 0;
  std::atomic<std::uint16_t> tcp_port = 0;

  // The clients' counts.
  std::atomic<std::uint64_t> opened = 0;  // sockets, each connected once
  std::atomic<std::uint64_t> idle_answers = 0;
  std::atomic<std::uint64_t> steady_answers = 0;
  std::atomic<std::uint64_t> stream_bytes = 0;  // received and correct
  std::atomic<std::uint64_t> tunnel_bytes = 0;
  std::atomic<std::uint64_t> lost = 0;  // connections that ended, or delivered anything wrong
  char first_loss[200] = {};            // written before `lost`

  // The origin's counts.
  std::atomic<std::uint64_t> streamed_bytes = 0;  // sent on streams, framing and last chunks included
};

// How many of each kind there are.
struct Crowd {
  std::size_t idle;    // keep-alive
  std::size_t active;  // a third each streams, WebSockets and raw TCP; each has an upstream connection
  std::size_t steady;  // keep-alive, asking without a pause

  constexpr std::size_t connections() const { return idle + active + steady; }
};

// In a page that child processes share with this one.
Board& new_board();

// The number of descriptors that a process may hold, after it was raised as far as is permitted.
std::size_t raised_descriptor_limit();

}  // namespace baton::harness
