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

TEST(Strand, CallReturnsWhenItsTaskHasRun) {
  std::vector<int> seen;
  Strand strand("test");
  strand.Post([&] { seen.push_back(1); });
  strand.Call([&] { seen.push_back(2); });
  EXPECT_EQ(seen, (std::vector<int>{1, 2}));
}

// Keeps what it is given, until told to run it.
class Shelf : public Executor {
 public:
  int64_t Begin() override { return ++last_; }
  void Post(int64_t strand, absl::Duration delay, Task task) override {
    tasks.push_back({strand, delay, std::move(task)});
  }
  void Call(int64_t strand, const Task& task) override {
    current_ = strand;
    task();
    current_ = 0;
  }
  void End(int64_t strand) override {
    std::erase_if(tasks, [strand](const Kept& each) { return each.strand == strand; });
  }
  bool IsCurrent(int64_t strand) const override { return strand == current_; }

  struct Kept {
    int64_t strand = 0;
    absl::Duration delay;
    Task task;
  };
  std::vector<Kept> tasks;

 private:
  int64_t last_ = 0;
  int64_t current_ = 0;
};

TEST(Strand, OnAnExecutorRunsWhenThatSays) {
  Shelf shelf;
  Strand one("one", &shelf);
  Strand other("other", &shelf);
  bool current = false;
  one.Post([&] { current = one.IsCurrent() && !other.IsCurrent(); });
  other.PostAfter(absl::Seconds(3), [] {});
  ASSERT_EQ(shelf.tasks.size(), 2u);
  EXPECT_NE(shelf.tasks[0].strand, shelf.tasks[1].strand);
  EXPECT_EQ(shelf.tasks[1].delay, absl::Seconds(3));
  EXPECT_FALSE(current);
  shelf.Call(shelf.tasks[0].strand, shelf.tasks[0].task);
  EXPECT_TRUE(current);
  other.Stop();
  EXPECT_EQ(shelf.tasks.size(), 1u);
}

}  // namespace
}  // namespace cluster
