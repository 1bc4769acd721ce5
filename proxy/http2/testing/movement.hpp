// A conversation that moves at each of its bytes, and one that stays: nobody can tell them apart.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "proxy/http2/testing/frames.hpp"

namespace baton::http2 {

// A field that the decoder has to remember: a literal with indexing (RFC 7541 §6.2.1).
inline std::string remembered(char name) {
  return std::string("\x40\x01") + name + "\x05value";
}

// `begin` is done first; `compare` expects what they have said to be the same.
template <class Conversation>
void expect_same_if_moved_at_each_byte(const std::string& input, auto begin, auto compare) {
  for (std::size_t at = 0; at <= input.size(); ++at) {
    Conversation stays;
    Conversation moves;
    for (Conversation* const one : {&stays, &moves}) {
      begin(*one);
      ASSERT_TRUE(one->take(input.substr(0, at))) << at;
      if (one == &moves) moves.move();
      ASSERT_TRUE(one->take(input.substr(at))) << at << ": " << one->scratch.failure;
    }
    compare(stays, moves);
    if (testing::Test::HasFailure()) FAIL() << "moved at " << at;
  }
}

template <class Conversation>
void expect_same_if_moved_at_all_bytes(const std::string& input, auto begin, auto compare) {
  Conversation stays;
  Conversation moves;
  begin(stays);
  begin(moves);
  for (const char& c : input) {
    ASSERT_TRUE(stays.take({&c, 1}));
    ASSERT_TRUE(moves.take({&c, 1})) << moves.scratch.failure;
    moves.move();
  }
  compare(stays, moves);
}

}  // namespace baton::http2
