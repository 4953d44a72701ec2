#include <random>

#include "gtest/gtest.h"

#include "node/session/peer_list.h"
#include "node/session/reconnect.h"
#include "node/session/session_lease.h"
#include "node/session/status_outbox.h"

namespace cluster::node {
namespace {

TEST(Lease, Law8_CountsFromWhenTheBeatWasSent) {
  SessionLease lease;
  lease.Begin(absl::Seconds(4));
  EXPECT_FALSE(lease.Holds(absl::ZeroDuration()));
  lease.Sent(1, absl::Seconds(10));
  lease.Sent(2, absl::Seconds(11));
  lease.Acknowledged(1);  // whenever that came
  EXPECT_EQ(lease.end(), absl::Seconds(10) + absl::Seconds(4) * 0.98);
  EXPECT_TRUE(lease.Holds(absl::Seconds(13)));
  EXPECT_FALSE(lease.Holds(absl::Seconds(14)));
}

TEST(Lease, AnAcknowledgementOfNothingSentChangesNothing) {
  SessionLease lease;
  lease.Begin(absl::Seconds(4));
  lease.Sent(1, absl::Seconds(10));
  lease.Acknowledged(7);
  EXPECT_FALSE(lease.Holds(absl::Seconds(10)));
  lease.Acknowledged(1);
  lease.Acknowledged(1);
  EXPECT_TRUE(lease.Holds(absl::Seconds(10)));
}

TEST(Lease, ANewSessionForgetsBeatsOfTheOldOneAndKeepsTheEnd) {
  SessionLease lease;
  lease.Begin(absl::Seconds(4));
  lease.Sent(1, absl::Seconds(10));
  lease.Acknowledged(1);
  lease.Sent(2, absl::Seconds(20));
  lease.Begin(absl::Seconds(4));
  lease.Acknowledged(2);
  EXPECT_EQ(lease.end(), absl::Seconds(13.92));
}

TEST(SessionLease, ALeaseThatIsToldAnewCountsForWhatIsAcknowledgedFromThenOn) {
  SessionLease lease;
  lease.Begin(absl::Seconds(4));
  lease.Sent(1, absl::Seconds(10));
  lease.Sent(2, absl::Seconds(11));
  lease.Acknowledged(1);
  EXPECT_EQ(lease.end(), absl::Seconds(13.92));
  lease.SetTtl(absl::Seconds(8));
  lease.Acknowledged(2);
  EXPECT_EQ(lease.end(), absl::Seconds(11) + absl::Seconds(8) * 0.98);
  // A shorter one does not take back what was granted.
  lease.SetTtl(absl::Seconds(4));
  lease.Sent(3, absl::Seconds(12));
  lease.Acknowledged(3);
  EXPECT_EQ(lease.end(), absl::Seconds(11) + absl::Seconds(8) * 0.98);
}

v1::Peer PeerAt(const std::string& node, const std::string& address) {
  v1::Peer peer;
  peer.set_node(node);
  peer.set_address(address);
  return peer;
}

std::string TextOf(const PeerList& peers) {
  std::string text;
  for (const v1::Peer& peer : peers) text += peer.node() + "@" + peer.address() + " ";
  return text;
}

TEST(PeerList, ChangesApplyOnTopAndAWholeListReplaces) {
  PeerList peers;
  v1::Assignments whole;
  whole.set_peers_changed(true);
  *whole.add_peers() = PeerAt("a", "1");
  *whole.add_peers() = PeerAt("b", "2");
  EXPECT_TRUE(ChangePeers(whole, &peers));
  EXPECT_EQ(TextOf(peers), "a@1 b@2 ");
  v1::Assignments change;
  *change.add_new_peers() = PeerAt("a", "9");
  *change.add_new_peers() = PeerAt("c", "3");
  change.add_gone_peers("b");
  EXPECT_TRUE(ChangePeers(change, &peers));
  EXPECT_EQ(TextOf(peers), "a@9 c@3 ");
  EXPECT_FALSE(ChangePeers({}, &peers));
  v1::Assignments complete;
  complete.set_complete(true);
  EXPECT_TRUE(ChangePeers(complete, &peers));
  EXPECT_EQ(TextOf(peers), "");
}

TEST(Reconnect, TheBoundDoublesUpToTheCap) {
  Reconnect reconnect;
  std::minstd_rand random(1);
  for (const int milliseconds : {100, 200, 400, 800, 1600, 3200, 5000, 5000}) {
    EXPECT_EQ(reconnect.Bound(), absl::Milliseconds(milliseconds));
    const absl::Duration wait = reconnect.Next(random);
    EXPECT_GE(wait, absl::ZeroDuration());
    EXPECT_LE(wait, absl::Milliseconds(milliseconds));
  }
  reconnect.Succeeded();
  EXPECT_EQ(reconnect.Bound(), absl::Milliseconds(100));
}

// A thousand nodes that lost their controller at one time come back at a thousand.
TEST(Reconnect, WaitsAreSpreadOverTheWholeBound) {
  std::minstd_rand random(1);
  std::vector<int> tenths(10);
  for (int node = 0; node < 1000; ++node) {
    Reconnect reconnect;
    for (int i = 0; i < 6; ++i) reconnect.Next(random);
    const absl::Duration bound = reconnect.Bound();
    const absl::Duration wait = reconnect.Next(random);
    ++tenths[static_cast<size_t>(std::min<int64_t>(9, wait * 10 / bound))];
  }
  for (const int count : tenths) {
    EXPECT_GT(count, 60);
    EXPECT_LT(count, 150);
  }
}

TEST(Reconnect, TheCapGrowsWithTheCluster) {
  Reconnect reconnect;
  std::minstd_rand random(1);
  reconnect.SetClusterSize(10'000);
  for (int i = 0; i < 20; ++i) reconnect.Next(random);
  EXPECT_EQ(reconnect.Bound(), absl::Seconds(20));
  EXPECT_EQ(reconnect.longest_queue(), absl::Seconds(25));
}

v1::PodStatusUpdate Update(const std::string& uid, const std::string& message) {
  v1::PodStatusUpdate update;
  update.set_uid(uid);
  update.mutable_status()->set_message(message);
  return update;
}

TEST(StatusOutbox, OnlyTheLastStatusOfAPodIsSent) {
  StatusOutbox outbox(1);
  outbox.Put(Update("a", "first"));
  outbox.Put(Update("b", "only"));
  outbox.Put(Update("a", "second"));
  v1::StatusBatch batch;
  ASSERT_TRUE(outbox.Take(1, &batch));
  ASSERT_EQ(batch.pods_size(), 2);
  EXPECT_EQ(batch.pods(0).status().message(), "second");
  EXPECT_GT(batch.pods(0).sequence(), batch.pods(1).sequence());
  v1::StatusBatch empty;
  EXPECT_FALSE(outbox.Take(2, &empty));
}

TEST(StatusOutbox, WhatWasNotAcknowledgedIsSentAgainUnlessItIsOld) {
  StatusOutbox outbox(1);
  outbox.Put(Update("a", "one"));
  outbox.Put(Update("b", "one"));
  v1::StatusBatch first;
  ASSERT_TRUE(outbox.Take(1, &first));
  outbox.Put(Update("a", "two"));
  v1::StatusBatch second;
  ASSERT_TRUE(outbox.Take(2, &second));
  outbox.Put(Update("c", "one"));
  outbox.Requeue();
  v1::StatusBatch again;
  ASSERT_TRUE(outbox.Take(1, &again));
  ASSERT_EQ(again.pods_size(), 3);
  EXPECT_EQ(again.pods(0).status().message(), "two");
  EXPECT_EQ(again.pods(1).sequence(), first.pods(1).sequence());
}

TEST(StatusOutbox, AnAcknowledgementCoversEverythingBefore) {
  StatusOutbox outbox(1);
  v1::StatusBatch batches[3];
  for (int i = 0; i < 3; ++i) {
    outbox.Put(Update("pod" + std::to_string(i), ""));
    ASSERT_TRUE(outbox.Take(i + 1, &batches[i]));
  }
  outbox.Acknowledge(2);
  EXPECT_EQ(outbox.Waiting(), 1u);
  outbox.Requeue();
  v1::StatusBatch again;
  ASSERT_TRUE(outbox.Take(4, &again));
  EXPECT_EQ(again.pods(0).uid(), "pod2");
}

TEST(StatusOutbox, SequencesGrowOverIncarnations) {
  StatusOutbox before(4);
  StatusOutbox after(5);
  v1::StatusBatch last;
  v1::StatusBatch first;
  for (int i = 0; i < 1000; ++i) before.Put(Update("a", std::to_string(i)));
  ASSERT_TRUE(before.Take(1, &last));
  after.Put(Update("a", "x"));
  ASSERT_TRUE(after.Take(1, &first));
  EXPECT_GT(first.pods(0).sequence(), last.pods(0).sequence());
}

TEST(StatusOutbox, BatchesAndEventsAreBounded) {
  StatusOutbox outbox(1);
  for (int i = 0; i < 1200; ++i) outbox.Put(Update(std::to_string(i), ""));
  for (int i = 0; i < 5000; ++i) outbox.Put(v1::Event());
  EXPECT_EQ(outbox.Waiting(), 1200 + StatusOutbox::kMaxEvents);
  v1::StatusBatch batch;
  ASSERT_TRUE(outbox.Take(1, &batch));
  EXPECT_EQ(batch.pods_size(), StatusOutbox::kMaxBatch);
  EXPECT_EQ(batch.events_size(), StatusOutbox::kMaxBatch);
}

}  // namespace
}  // namespace cluster::node
