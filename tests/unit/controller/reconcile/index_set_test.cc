#include "controller/reconcile/index_set.h"

#include <random>
#include <set>

#include "gtest/gtest.h"

namespace cluster::controller {
namespace {

TEST(IndexSet, WritesRangesAsKubernetesDoes) {
  IndexSet set;
  for (const int index : {5, 3, 1, 4, 7}) EXPECT_TRUE(set.Add(index));
  EXPECT_FALSE(set.Add(4));
  EXPECT_EQ(set.ToString(), "1,3-5,7");
  EXPECT_EQ(set.size(), 5);
  EXPECT_TRUE(set.Has(3));
  EXPECT_FALSE(set.Has(2));
  EXPECT_EQ(set.FirstMissing(3), 6);
  EXPECT_EQ(set.FirstMissing(0), 0);
  EXPECT_EQ(IndexSet().ToString(), "");
}

TEST(IndexSet, ReadsWhatItWrote) {
  const IndexSet set = IndexSet::Parse("1,3-5,7", 10);
  EXPECT_EQ(set.ToString(), "1,3-5,7");
  EXPECT_EQ(set.size(), 5);
}

TEST(IndexSet, LeavesOutWhatTheJobDoesNotHave) {
  EXPECT_EQ(IndexSet::Parse("1,3-5,7", 5).ToString(), "1,3-4");
  EXPECT_EQ(IndexSet::Parse("0-99999999", 3).size(), 3);
  EXPECT_EQ(IndexSet::Parse("-1,x,4-2,3", 10).ToString(), "3");
  EXPECT_EQ(IndexSet::Parse("", 10).size(), 0);
}

TEST(IndexSet, AgreesWithASetOfNumbers) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    IndexSet set;
    std::set<int> model;
    for (int i = 0; i < 60; ++i) {
      const int index = static_cast<int>(random() % 80);
      EXPECT_EQ(set.Add(index), model.insert(index).second);
      EXPECT_EQ(set.size(), static_cast<int>(model.size()));
    }
    const IndexSet again = IndexSet::Parse(set.ToString(), 80);
    for (int index = 0; index < 80; ++index) {
      EXPECT_EQ(set.Has(index), model.contains(index)) << index;
      EXPECT_EQ(again.Has(index), model.contains(index)) << index;
      int missing = index;
      while (model.contains(missing)) ++missing;
      EXPECT_EQ(set.FirstMissing(index), missing) << index;
    }
  }
}

}  // namespace
}  // namespace cluster::controller
