// A chunked stream of server-sent events (dialogue.hpp), from both sides.
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

  // The rest of the chunk before, and the beginning of the next: cut in its size, its data or its end, each time
  // elsewhere. So whoever pauses does so in the middle of a chunk.
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

  // What is wrong with the body so far; nothing if it is empty.
  std::string take(std::string_view bytes);

  std::uint64_t events() const { return serial_ - 1; }  // that have come whole
  bool ended() const { return chunks_.ended(); }

 private:
  std::string target_;
  ChunkReader chunks_;
  std::string unread_;
  std::uint64_t serial_ = 1;
};

}  // namespace baton::clients
