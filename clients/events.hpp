// A stream of server-sent events (dialogue.hpp), from both sides, chunked or not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "clients/chunks.hpp"

namespace baton::clients {

// The origin's side of the stream `target`.
class EventStream {
 public:
  explicit EventStream(std::string target) : target_(std::move(target)) {}

  // The rest of the previous chunk and the beginning of the next, cut each time at another place in its size, its data
  // or its end. So every pause is in the middle of a chunk.
  std::string next();

  // The rest, and the last chunk.
  std::string end() { return rest_ + std::string(last_chunk); }

 private:
  std::string target_;
  std::uint64_t serial_ = 0;
  std::string rest_;
};

// The client's side.
class EventJudge {
 public:
  explicit EventJudge(std::string target) : target_(std::move(target)) {}

  // What is wrong with the body so far; empty: nothing.
  std::string take(std::string_view bytes);
  // The same without the chunked coding, as in HTTP/2.
  std::string take_data(std::string_view bytes);

  bool is_within_an_event() const { return !unread_.empty(); }
  std::uint64_t events() const { return serial_ - 1; }  // that have arrived complete
  bool ended() const { return chunks_.ended(); }

 private:
  std::string target_;
  ChunkReader chunks_;
  std::string unread_;
  std::uint64_t serial_ = 1;
};

}  // namespace baton::clients
