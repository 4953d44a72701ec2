#include "controller/services/drain_book.h"

#include "gtest/gtest.h"

namespace cluster::controller {
namespace {

std::vector<std::string> Uids(const std::vector<DrainBook::Drained>& drained) {
  std::vector<std::string> uids;
  for (const DrainBook::Drained& each : drained) uids.push_back(each.uid);
  return uids;
}

constexpr absl::Duration kNow = absl::Seconds(100);

TEST(DrainBookTest, WhatIsEverywhereIsWhatTheSlowestNodeHas) {
  DrainBook book(absl::ZeroDuration());
  EXPECT_EQ(book.everywhere(), std::numeric_limits<int64_t>::max());
  book.AddNode("a");
  EXPECT_EQ(book.everywhere(), 0);
  book.Acknowledge("a", 7);
  book.Acknowledge("b", 5);
  EXPECT_EQ(book.everywhere(), 5);
  // What is known of it stays.
  book.AddNode("a");
  book.Acknowledge("b", 9);
  EXPECT_EQ(book.everywhere(), 7);
  book.RemoveNode("a");
  EXPECT_EQ(book.everywhere(), 9);
  book.RemoveNode("stranger");
  EXPECT_EQ(book.everywhere(), 9);
}

TEST(DrainBookTest, PodsEndInTheOrderInWhichTheirVersionsAreEverywhere) {
  DrainBook book(absl::ZeroDuration());
  book.Acknowledge("a", 1);
  book.Acknowledge("b", 1);
  book.Hold("early", "pods/default/early", 2, kNow + absl::Seconds(5));
  book.Hold("late", "pods/default/late", 3, kNow + absl::Seconds(5));
  EXPECT_TRUE(book.Holds("early"));
  book.Acknowledge("a", 3);
  EXPECT_TRUE(book.TakeDrained(kNow).empty());
  book.Acknowledge("b", 2);
  const std::vector<DrainBook::Drained> drained = book.TakeDrained(kNow);
  ASSERT_EQ(Uids(drained), std::vector<std::string>{"early"});
  EXPECT_EQ(drained[0].key, "pods/default/early");
  EXPECT_EQ(drained[0].laggard, "");
  EXPECT_FALSE(book.Holds("early"));
  book.RemoveNode("b");
  EXPECT_EQ(Uids(book.TakeDrained(kNow)), std::vector<std::string>{"late"});
}

TEST(DrainBookTest, TheDeadlineNamesWhoHasNotAnswered) {
  DrainBook book(absl::ZeroDuration());
  book.Acknowledge("a", 3);
  book.Acknowledge("b", 1);
  EXPECT_EQ(book.next(), absl::InfiniteDuration());
  book.Hold("pod", "pods/default/pod", 2, kNow + absl::Seconds(5));
  EXPECT_EQ(book.next(), kNow + absl::Seconds(5));
  EXPECT_TRUE(book.TakeDrained(kNow + absl::Seconds(4)).empty());
  const std::vector<DrainBook::Drained> drained = book.TakeDrained(kNow + absl::Seconds(5));
  ASSERT_EQ(drained.size(), 1u);
  EXPECT_EQ(drained[0].laggard, "b");
  EXPECT_EQ(book.next(), absl::InfiniteDuration());
}

TEST(DrainBookTest, WhatIsGoneIsForgotten) {
  DrainBook book(absl::ZeroDuration());
  book.AddNode("a");
  book.Hold("pod", "pods/default/pod", 2, kNow);
  book.Forget("pod");
  EXPECT_TRUE(book.TakeDrained(kNow + absl::Hours(1)).empty());
}

TEST(DrainBookTest, APodGoesOnForAPauseOnceNobodyNewComes) {
  DrainBook book(absl::Seconds(1));
  book.Acknowledge("a", 1);
  book.Hold("pod", "pods/default/pod", 2, kNow + absl::Seconds(5));
  // Late, but before the deadline: the pause is whole.
  const absl::Duration late = kNow + absl::Milliseconds(4900);
  book.Acknowledge("a", 2);
  EXPECT_TRUE(book.TakeDrained(late).empty());
  EXPECT_EQ(book.next(), late + absl::Seconds(1));
  EXPECT_TRUE(book.TakeDrained(kNow + absl::Seconds(5)).empty());
  EXPECT_TRUE(book.Holds("pod"));
  EXPECT_EQ(Uids(book.TakeDrained(late + absl::Seconds(1))), std::vector<std::string>{"pod"});
}

}  // namespace
}  // namespace cluster::controller
