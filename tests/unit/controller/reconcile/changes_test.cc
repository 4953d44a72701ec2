#include "controller/reconcile/changes.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/domain/builders.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

using domain::Pod;
using domain::World;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Changes Creating(const std::vector<std::string>& names) {
  Changes changes;
  for (const std::string& name : names) changes.Create(Pod(name));
  return changes;
}

Changes Together(const std::vector<std::string>& names) {
  Changes changes;
  changes.Together(Creating(names));
  return changes;
}

std::vector<std::string> KeysOf(const std::vector<Write>& writes) {
  std::vector<std::string> keys;
  for (const Write& write : writes) keys.push_back(write.key.substr(write.key.rfind('/') + 1));
  return keys;
}

TEST(Changes, OneOfAGroupThatIsTakenKeepsTheWholeGroupOut) {
  Changes all = Creating({"b"});
  MergeChanges(Together({"a", "b", "c"}), &all);
  MergeChanges(Together({"c", "d"}), &all);
  MergeChanges(Creating({"d", "e"}), &all);
  EXPECT_THAT(KeysOf(all.writes), ElementsAre("b", "c", "d", "e"));
  EXPECT_TRUE(all.writes[2].with_previous);
  EXPECT_FALSE(all.writes[3].with_previous);
}

TEST(Changes, GroupsAreErasedWhole) {
  Changes all = Creating({"a"});
  MergeChanges(Together({"b", "c"}), &all);
  MergeChanges(Together({"d", "e"}), &all);
  EraseTogether([](const Write& write) { return write.key == "pods/default/c"; }, &all.writes);
  EXPECT_THAT(KeysOf(all.writes), ElementsAre("a", "d", "e"));
}

TEST(Changes, AGroupOfGroupsIsOne) {
  Changes inner = Together({"a", "b"});
  Changes outer = Creating({"x"});
  outer.Together(std::move(inner));
  Changes all;
  all.Together(std::move(outer));
  EraseTogether([](const Write& write) { return write.key == "pods/default/b"; }, &all.writes);
  EXPECT_THAT(all.writes, IsEmpty());
}

TEST(Changes, TheWorldCommitsAGroupWholeOrNotAtAll) {
  World world;
  world.Put(Pod("b"));
  Changes all = Together({"a", "b"});
  MergeChanges(Together({"c", "d"}), &all);
  EXPECT_THAT(world.Commit(all), ElementsAre("pods/default/a", "pods/default/b"));
  EXPECT_EQ(world.Find("pods/default/a"), nullptr);
  EXPECT_NE(world.Find("pods/default/d"), nullptr);
}

}  // namespace
}  // namespace cluster::controller
