#include "controller/session/admission_queue.h"

#include "gtest/gtest.h"

namespace cluster::controller {
namespace {

// The queue only hands them round.
class Link : public AgentLink {
 public:
  void Send(v1::ControllerMessage) override {}
  void Close(const absl::Status&) override {}
};

constexpr absl::Duration kLongAgo = absl::Seconds(1000);

TEST(AdmissionQueue, TheFirstAreServedFirst) {
  AdmissionQueue queue(10, 10, 10);
  Link links[3];
  for (Link& link : links) queue.Add(&link);
  for (Link& link : links) EXPECT_EQ(queue.Take(kLongAgo), &link);
  EXPECT_EQ(queue.Take(kLongAgo), nullptr);
  EXPECT_EQ(queue.next(), absl::InfiniteDuration());
}

TEST(AdmissionQueue, AfterABurstTheRateHolds) {
  AdmissionQueue queue(10, 3, 1000);
  Link link;
  for (int i = 0; i < 100; ++i) queue.Add(&link);
  const auto taken_at = [&](absl::Duration now) {
    int taken = 0;
    while (queue.Take(now) != nullptr) ++taken;
    return taken;
  };
  EXPECT_EQ(taken_at(kLongAgo), 3);
  EXPECT_EQ(queue.next(), kLongAgo + absl::Milliseconds(100));
  EXPECT_EQ(taken_at(kLongAgo + absl::Milliseconds(99)), 0);
  EXPECT_EQ(taken_at(kLongAgo + absl::Milliseconds(100)), 1);
  // No more than a burst is saved up, however long nobody asked.
  EXPECT_EQ(taken_at(kLongAgo + absl::Seconds(60)), 3);
  EXPECT_EQ(taken_at(kLongAgo + absl::Seconds(61)), 3);
  int in_two_seconds = 0;
  for (int i = 1; i <= 200; ++i) {
    in_two_seconds += taken_at(kLongAgo + absl::Seconds(61) + absl::Milliseconds(10 * i));
  }
  EXPECT_EQ(in_two_seconds, 20);
}

TEST(AdmissionQueue, OnlySoManyAreOnTheirWayAtOnce) {
  AdmissionQueue queue(1000, 100, 2);
  Link links[3];
  for (Link& link : links) queue.Add(&link);
  EXPECT_NE(queue.Take(kLongAgo), nullptr);
  EXPECT_NE(queue.Take(kLongAgo), nullptr);
  EXPECT_EQ(queue.Take(kLongAgo), nullptr);
  EXPECT_EQ(queue.next(), absl::InfiniteDuration());
  queue.Through();
  EXPECT_EQ(queue.Take(kLongAgo), &links[2]);
}

TEST(AdmissionQueue, WhoLeavesIsNotServed) {
  AdmissionQueue queue(1000, 100, 10);
  Link links[2];
  for (Link& link : links) queue.Add(&link);
  queue.Remove(&links[0]);
  EXPECT_EQ(queue.waiting(), 1u);
  EXPECT_EQ(queue.Take(kLongAgo), &links[1]);
}

}  // namespace
}  // namespace cluster::controller
