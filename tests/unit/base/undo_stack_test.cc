#include "base/undo_stack.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

TEST(UndoStack, TakesStepsBackInReverseOrder) {
  std::vector<int> undone;
  {
    UndoStack undo;
    undo.Push([&] { undone.push_back(1); });
    undo.Push([&] { undone.push_back(2); });
  }
  EXPECT_THAT(undone, testing::ElementsAre(2, 1));
}

TEST(UndoStack, KeepsEverythingAfterCommit) {
  int undone = 0;
  {
    UndoStack undo;
    undo.Push([&] { ++undone; });
    undo.Commit();
  }
  EXPECT_EQ(undone, 0);
}

}  // namespace
}  // namespace cluster
