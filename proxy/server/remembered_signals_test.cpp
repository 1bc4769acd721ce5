#include "proxy/server/remembered_signals.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace baton::proxy {
namespace {

RememberedSignals remembered(const std::vector<int>& signals) {
  RememberedSignals all;
  for (const int signal : signals) all.remember(signal);
  return all;
}

TEST(RememberedSignals, EachKindIsObeyedOnceAndAStopLast) {
  EXPECT_EQ(remembered({SIGTERM, SIGHUP, SIGHUP, SIGUSR1}).to_obey(), (std::vector{SIGUSR1, SIGHUP, SIGTERM}));
  EXPECT_EQ(remembered({}).to_obey(), std::vector<int>());
}

TEST(RememberedSignals, OfThoseThatEndTheProcessTheSoonestStopWins) {
  EXPECT_EQ(remembered({SIGUSR2, SIGQUIT, SIGINT}).to_obey(), std::vector{SIGINT});
  EXPECT_EQ(remembered({SIGUSR2, SIGQUIT}).to_obey(), std::vector{SIGQUIT});
  EXPECT_EQ(remembered({SIGUSR2}).to_obey(), std::vector{SIGUSR2});
}

TEST(RememberedSignals, OnlyWhatCameAfterTheSendingIsLeftToPassOn) {
  RememberedSignals signals = remembered({SIGHUP, SIGUSR1});
  signals.note_sent();
  EXPECT_TRUE(signals.not_sent().empty());
  signals.remember(SIGTERM);
  EXPECT_EQ(std::vector(signals.not_sent().begin(), signals.not_sent().end()), std::vector{SIGTERM});
  signals.forget(SIGHUP);
  EXPECT_EQ(std::vector(signals.not_sent().begin(), signals.not_sent().end()), std::vector{SIGTERM});
}

TEST(RememberedSignals, WhatThePredecessorSentIsObeyedLikeOurOwn) {
  RememberedSignals signals = remembered({SIGTERM});
  signals.append({SIGUSR1, SIGTERM});
  EXPECT_EQ(signals.to_obey(), (std::vector{SIGUSR1, SIGTERM}));
  EXPECT_EQ(signals.all().size(), 3u);
}

}  // namespace
}  // namespace baton::proxy
