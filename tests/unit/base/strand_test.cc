#include "base/strand.h"

#include <future>

#include "gtest/gtest.h"

namespace cluster {
namespace {

TEST(Strand, RunsTasksInOrder) {
  std::vector<int> seen;
  Strand strand("test");
  for (int i = 0; i < 100; ++i) strand.Post([&seen, i] { seen.push_back(i); });
  strand.Stop();
  ASSERT_EQ(seen.size(), 100u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST(Strand, StopRunsWhatATaskStillPosts) {
  bool ran = false;
  Strand strand("test");
  strand.Post([&] { strand.Post([&ran] { ran = true; }); });
  strand.Stop();
  EXPECT_TRUE(ran);
}

TEST(Strand, DelayedTasksRunByTime) {
  std::vector<int> seen;
  std::promise<void> done;
  Strand strand("test");
  strand.PostAfter(absl::Milliseconds(20), [&] {
    seen.push_back(2);
    done.set_value();
  });
  strand.PostAfter(absl::Milliseconds(10), [&] { seen.push_back(1); });
  done.get_future().wait();
  EXPECT_EQ(seen, (std::vector<int>{1, 2}));
}

TEST(Strand, KnowsItsOwnThread) {
  Strand strand("test");
  EXPECT_FALSE(strand.IsCurrent());
  std::promise<bool> current;
  strand.Post([&] { current.set_value(strand.IsCurrent()); });
  EXPECT_TRUE(current.get_future().get());
}

}  // namespace
}  // namespace cluster
