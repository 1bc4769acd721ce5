#include "config/tree.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace baton::config {
namespace {

TEST(Tree, ValuesKnowWhereTheyStood) {
  const Tree tree = parse_tree("a: 1\nb:\n  - c: \"x\"\n", "f");
  ASSERT_TRUE(tree.root);
  EXPECT_EQ(tree.root->find("a")->line, 1);
  EXPECT_EQ(tree.root->find("a")->column, 4);
  const auto& list = std::get<Node::List>(tree.root->find("b")->value);
  EXPECT_EQ(list.front().find("c")->line, 3);
  EXPECT_EQ(list.front().find("c")->column, 8);
}

TEST(Tree, AnAbsentValueStandsAtItsKey) {
  const Tree tree = parse_tree("a:\n\n\nb: ~\n", "f");
  EXPECT_EQ(tree.root->find("a")->line, 1);
  EXPECT_EQ(tree.root->find("b")->line, 4);
}

TEST(Tree, AnAliasStandsWhereItIsUsed) {
  const Tree tree = parse_tree("a: &x [ 1 ]\nb: *x\n", "f");
  EXPECT_EQ(tree.root->find("b")->line, 2);
  EXPECT_EQ(std::get<Node::List>(tree.root->find("b")->value).size(), 1u);
}

TEST(Tree, FindsNothingInWhatIsNoMapping) {
  EXPECT_EQ(parse_tree("- a\n", "f").root->find("a"), nullptr);
  EXPECT_EQ(parse_tree("", "f").root->find("a"), nullptr);
}

// Nine levels of ten aliases each would be a thousand million values.
TEST(Tree, AliasesCannotMultiplyWithoutEnd) {
  std::string yaml = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int level = 1; level < 9; ++level) {
    const std::string alias = fmt::format("*a{}", level - 1);
    yaml += fmt::format("a{0}: &a{0} [{1}", level, alias);
    for (int i = 0; i < 9; ++i) yaml += "," + alias;
    yaml += "]\n";
  }
  const Tree tree = parse_tree(yaml, "f");
  EXPECT_FALSE(tree.root);
  ASSERT_EQ(tree.problems.size(), 1u);
  EXPECT_EQ(tree.problems.front().message, "more than 500000 values");
}

// The underlying parser looks ahead and recurses; neither may be visible.
TEST(Tree, EndlessNestingIsRefusedSoon) {
  for (const char* opening : {"[", "{", "- ", "? ", "[\n", "{a: ", "- - ? [", "&a [", "!a {"}) {
    std::string yaml;
    while (yaml.size() < 200'000) yaml += opening;
    EXPECT_FALSE(parse_tree(yaml, "f").root) << opening;
  }
}

}  // namespace
}  // namespace baton::config
