#include "proxy/server/role.hpp"

#include <gtest/gtest.h>

namespace baton::proxy {
namespace {

Role serving() {
  Role role;
  role.become_instance();
  return role;
}

Role upgrading() {
  Role role = serving();
  role.upgrade();
  return role;
}

TEST(Role, AFirstProcessIsTheInstanceOnceItSaysSo) {
  EXPECT_FALSE(Role().is_instance());
  EXPECT_FALSE(Role().is_ready());
  EXPECT_TRUE(serving().is_instance());
  EXPECT_TRUE(serving().is_ready());
}

TEST(Role, ASuccessorMayBeTheInstanceBeforeTheConversationIsOver) {
  Role role;
  role.succeed();
  EXPECT_TRUE(role.is_conversing());
  EXPECT_FALSE(role.is_instance());
  role.become_instance();
  EXPECT_TRUE(role.is_instance());
  EXPECT_TRUE(role.is_ready());
  EXPECT_FALSE(role.is_serving());
  role.end_succession();
  EXPECT_TRUE(role.is_serving());
  EXPECT_FALSE(role.is_conversing());
}

TEST(Role, ASuccessorThatDoesNotBecomeTheInstanceRetiresAndIsNotReady) {
  Role role;
  role.succeed();
  role.end_succession();
  EXPECT_TRUE(role.is_retired());
  EXPECT_TRUE(role.is_stopping());
  EXPECT_FALSE(role.is_instance());
  EXPECT_FALSE(role.is_ready());
}

TEST(Role, TheServiceStaysReadyThroughoutAnUpgrade) {
  Role role = upgrading();
  EXPECT_TRUE(role.is_instance());
  EXPECT_TRUE(role.is_ready());
  role.resign();
  EXPECT_FALSE(role.is_instance());
  EXPECT_TRUE(role.is_ready());
  role.upgrade_done();
  EXPECT_FALSE(role.is_instance());
  EXPECT_TRUE(role.is_retired());
  EXPECT_TRUE(role.is_ready());
}

TEST(Role, AFailedUpgradeLeavesTheInstanceAsItWas) {
  Role role = upgrading();
  role.resign();
  role.reclaim();
  EXPECT_TRUE(role.is_instance());
  EXPECT_TRUE(role.is_upgrading());
  role.upgrade_failed();
  EXPECT_TRUE(role.is_serving());
}

TEST(Role, ACanaryIsOnEitherSideForATime) {
  Role predecessor = upgrading();
  EXPECT_FALSE(predecessor.has_canary());
  predecessor.begin_canary();
  EXPECT_TRUE(predecessor.has_canary());
  EXPECT_TRUE(predecessor.is_instance());
  predecessor.end_canary();
  EXPECT_FALSE(predecessor.has_canary());
  predecessor.begin_canary();
  predecessor.upgrade_failed();
  EXPECT_FALSE(predecessor.has_canary());
  predecessor.end_canary();
  Role canary;
  canary.succeed();
  canary.begin_canary();
  EXPECT_TRUE(canary.has_canary());
  canary.end_canary();
  EXPECT_FALSE(canary.has_canary());
}

TEST(Role, AStopDuringAnUpgradeIsForgottenWithIt) {
  Role role = upgrading();
  role.tell_to_stop();
  EXPECT_TRUE(role.is_stopping());
  EXPECT_TRUE(role.is_told_to_stop());
  EXPECT_FALSE(role.is_ready());
  Role failed = role;
  failed.upgrade_failed();
  EXPECT_FALSE(failed.is_stopping());
  EXPECT_FALSE(failed.is_told_to_stop());
  role.upgrade_done();
  EXPECT_TRUE(role.is_stopping());
  EXPECT_FALSE(role.is_told_to_stop());
}

TEST(Role, WhatStopsIsTheInstanceToItsEnd) {
  Role role = serving();
  role.stop();
  EXPECT_TRUE(role.is_instance());
  EXPECT_TRUE(role.is_stopping());
  EXPECT_FALSE(role.is_told_to_stop());
  EXPECT_FALSE(role.is_ready());
  role.tell_to_stop();
  role.stop();
  EXPECT_TRUE(role.is_told_to_stop());
}

TEST(Role, ATellingStopsWhatServes) {
  Role role = serving();
  role.tell_to_stop();
  EXPECT_TRUE(role.is_stopping());
  EXPECT_TRUE(role.is_told_to_stop());
}

}  // namespace
}  // namespace baton::proxy
