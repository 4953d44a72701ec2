#include "controller/session/assignment_sender.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "proto/schema/assignments_digest.h"
#include "proto/schema/kinds.h"

namespace cluster::controller {
namespace {

class Sending : public testing::Test {
 protected:
  void PutPod(const std::string& name, store::Rev rev, const std::string& config_map = "") {
    v1::Pod pod;
    pod.mutable_metadata()->set_name(name);
    pod.mutable_metadata()->set_namespace_("default");
    pod.mutable_metadata()->set_uid("uid-" + name);
    pod.mutable_spec()->set_node_name("node1");
    v1::Container* container = pod.mutable_spec()->add_containers();
    if (!config_map.empty()) {
      container->add_env_from()->mutable_config_map_ref()->set_name(config_map);
    }
    view_.Put(MakeEntry(Wrap(std::move(pod)), rev, rev));
    view_.set_revision(rev);
  }
  void PutConfigMap(const std::string& name, store::Rev rev) {
    v1::Object object = NewObject(*FindKind("ConfigMap"));
    MutableMeta(&object)->set_name(name);
    MutableMeta(&object)->set_namespace_("default");
    view_.Put(MakeEntry(std::move(object), rev, rev));
    view_.set_revision(rev);
  }
  void RemovePod(const std::string& name, store::Rev rev) {
    view_.Remove("pods/default/" + name);
    view_.set_revision(rev);
  }
  void PutPeer(const std::string& node, const std::string& address) {
    ClusterFacts::KnownPeer& known = facts_.peers[node];
    known.peer.set_node(node);
    known.peer.set_address(address);
    known.version = ++facts_.peers_version;
  }
  static v1::Hello Hello(store::Rev applied = 0, const std::map<std::string, int64_t>& held = {}) {
    v1::Hello hello;
    hello.set_node("node1");
    hello.set_applied_revision(applied);
    hello.set_assignments_digest(AssignmentsDigest(held));
    return hello;
  }
  v1::Assignments Next(AssignmentSender* sender, bool expected = true) {
    sender->LookAtAll();
    return NextOfTouched(sender, expected);
  }
  v1::Assignments NextOfTouched(AssignmentSender* sender, bool expected = true) {
    v1::Assignments message;
    EXPECT_EQ(
        sender->Next(
            facts_, [this](const std::string& uid) { return held_back_.contains(uid); }, &message),
        expected);
    return message;
  }

  View view_;
  ReportBook reports_;
  ClusterFacts facts_;
  std::set<std::string> held_back_;  // uids
};

TEST_F(Sending, ANewNodeGetsEverythingThenOnlyChanges) {
  PutPod("a", 5);
  AssignmentSender sender(Hello(), &view_, &reports_);
  v1::Assignments first = Next(&sender);
  EXPECT_TRUE(first.complete());
  EXPECT_EQ(first.assignments_size(), 1);
  EXPECT_EQ(first.assignments(0).epoch(), 5);
  EXPECT_EQ(first.results_in(), 5);
  Next(&sender, /*expected=*/false);
  PutPod("b", 7);
  const v1::Assignments second = Next(&sender);
  EXPECT_FALSE(second.complete());
  EXPECT_EQ(second.applies_to(), 5);
  EXPECT_EQ(second.results_in(), 7);
  ASSERT_EQ(second.assignments_size(), 1);
  EXPECT_EQ(second.assignments(0).pod().metadata().name(), "b");
  RemovePod("a", 9);
  const v1::Assignments third = Next(&sender);
  ASSERT_EQ(third.removed_size(), 1);
  EXPECT_EQ(third.removed(0), "uid-a");
}

TEST_F(Sending, AReportDoesNotChangeAnEpoch) {
  PutPod("a", 5);
  AssignmentSender sender(Hello(), &view_, &reports_);
  Next(&sender);
  v1::PodReportRecord record;
  record.set_epoch(5);
  reports_.Set("uid-a", record, 8);
  PutPod("a", 8);
  Next(&sender, /*expected=*/false);
  // A change by anyone else does.
  PutPod("a", 9);
  EXPECT_EQ(Next(&sender).assignments(0).epoch(), 9);
}

TEST_F(Sending, ANodeThatAgreesIsToldOnlyWhatIsNew) {
  PutPod("a", 5);
  view_.set_revision(6);
  AssignmentSender sender(Hello(6, {{"uid-a", 5}}), &view_, &reports_);
  const v1::Assignments first = Next(&sender);
  EXPECT_FALSE(first.complete());
  EXPECT_EQ(first.applies_to(), 6);
  EXPECT_TRUE(first.assignments().empty());
  EXPECT_TRUE(first.peers_changed());
  EXPECT_TRUE(first.archives_changed());
}

TEST_F(Sending, ANodeThatDisagreesGetsEverything) {
  PutPod("a", 5);
  AssignmentSender other_epoch(Hello(5, {{"uid-a", 4}}), &view_, &reports_);
  EXPECT_TRUE(Next(&other_epoch).complete());
  AssignmentSender surplus(Hello(5, {{"uid-a", 5}, {"uid-z", 1}}), &view_, &reports_);
  EXPECT_TRUE(Next(&surplus).complete());
  // A node from the future of a restored store, too.
  AssignmentSender future(Hello(500, {{"uid-a", 5}}), &view_, &reports_);
  EXPECT_TRUE(Next(&future).complete());
}

TEST_F(Sending, ReferencesAreSentAndRefreshed) {
  PutConfigMap("settings", 3);
  PutPod("a", 5, "settings");
  AssignmentSender sender(Hello(), &view_, &reports_);
  EXPECT_EQ(Next(&sender).assignments(0).references_size(), 1);
  EXPECT_TRUE(sender.refers_to("configmaps/default/settings"));
  PutConfigMap("other", 6);
  Next(&sender, /*expected=*/false);
  PutConfigMap("settings", 7);
  const v1::Assignments message = Next(&sender);
  ASSERT_EQ(message.assignments_size(), 1);
  EXPECT_EQ(message.assignments(0).epoch(), 5);
  // And what changed while a node was away, though its epochs agree.
  AssignmentSender back(Hello(6, {{"uid-a", 5}}), &view_, &reports_);
  EXPECT_EQ(Next(&back).assignments_size(), 1);
  AssignmentSender current(Hello(7, {{"uid-a", 5}}), &view_, &reports_);
  EXPECT_EQ(Next(&current).assignments_size(), 0);
}

TEST_F(Sending, VeryManyChangesAreSentAsTheWholeTruth) {
  AssignmentSender sender(Hello(), &view_, &reports_);
  Next(&sender);
  for (int i = 0; i < 1500; ++i) PutPod(absl::StrCat("p", i), 10 + i);
  const v1::Assignments message = Next(&sender);
  EXPECT_TRUE(message.complete());
  EXPECT_EQ(message.assignments_size(), 1500);
}

TEST_F(Sending, AnAckIsHeldAgainstWhatWasTold) {
  PutPod("a", 5);
  AssignmentSender sender(Hello(), &view_, &reports_);
  Next(&sender);
  v1::AssignmentsAck ack;
  ack.set_applied_revision(5);
  ack.set_assignments_digest(AssignmentsDigest({{"uid-a", 5}}));
  EXPECT_TRUE(sender.Agrees(ack));
  ack.set_assignments_digest(AssignmentsDigest({}));
  EXPECT_FALSE(sender.Agrees(ack));
  // An older one says nothing about now.
  ack.set_applied_revision(4);
  EXPECT_TRUE(sender.Agrees(ack));
  ack.set_resync(true);
  EXPECT_FALSE(sender.Agrees(ack));
}

TEST_F(Sending, APodThatTheStoreDoesNotHaveIsToldRemoved) {
  AssignmentSender sender(Hello(), &view_, &reports_);
  Next(&sender);
  sender.TellRemoved("uid-x");
  const v1::Assignments message = Next(&sender);
  ASSERT_EQ(message.removed_size(), 1);
  EXPECT_EQ(message.removed(0), "uid-x");
  Next(&sender, /*expected=*/false);
}

TEST_F(Sending, PeersAreEveryNodeButItself) {
  for (const char* name : {"node1", "node2"}) PutPeer(name, "");
  AssignmentSender sender(Hello(), &view_, &reports_);
  const v1::Assignments message = Next(&sender);
  ASSERT_EQ(message.peers_size(), 1);
  EXPECT_EQ(message.peers(0).node(), "node2");
}

TEST_F(Sending, OfPeersThatChangeOnlyThoseAreTold) {
  for (const char* name : {"node1", "node2", "node3"}) PutPeer(name, "");
  AssignmentSender sender(Hello(), &view_, &reports_);
  Next(&sender);
  PutPeer("node1", "192.0.2.1");
  PutPeer("node3", "192.0.2.3");
  PutPeer("node4", "192.0.2.4");
  facts_.peers["node2"].gone = true;
  facts_.peers["node2"].version = ++facts_.peers_version;
  const v1::Assignments message = NextOfTouched(&sender);
  EXPECT_FALSE(message.peers_changed());
  EXPECT_TRUE(message.peers().empty());
  ASSERT_EQ(message.new_peers_size(), 2);
  EXPECT_EQ(message.new_peers(0).node(), "node3");
  EXPECT_EQ(message.new_peers(1).node(), "node4");
  ASSERT_EQ(message.gone_peers_size(), 1);
  EXPECT_EQ(message.gone_peers(0), "node2");
  NextOfTouched(&sender, /*expected=*/false);
}

TEST_F(Sending, WhoMissedPeersThatWentGetsTheWholeList) {
  for (const char* name : {"node1", "node2"}) PutPeer(name, "");
  AssignmentSender sender(Hello(), &view_, &reports_);
  Next(&sender);
  facts_.peers.erase("node2");
  PutPeer("node3", "");
  facts_.peers_since = facts_.peers_version;
  const v1::Assignments message = NextOfTouched(&sender);
  EXPECT_TRUE(message.peers_changed());
  ASSERT_EQ(message.peers_size(), 1);
  EXPECT_EQ(message.peers(0).node(), "node3");
}

TEST_F(Sending, OnlyWhatChangedIsConsideredAndNothingIsMissed) {
  PutPod("a", 5);
  PutPod("b", 5);
  AssignmentSender sender(Hello(), &view_, &reports_);
  Next(&sender);
  // Changed, new, gone, and one whose name is another pod's by now.
  PutPod("a", 6);
  PutPod("c", 7);
  RemovePod("b", 8);
  for (const char* name : {"a", "b", "c"}) {
    sender.PodChanged(absl::StrCat("uid-", name), absl::StrCat("pods/default/", name));
  }
  sender.PodChanged("uid-of-another", "pods/default/a");
  std::set<std::string> considered;
  EXPECT_FALSE(sender.Considers([&](const std::string& uid) {
    considered.insert(uid);
    return false;
  }));
  EXPECT_EQ(considered, (std::set<std::string>{"uid-a", "uid-b", "uid-c", "uid-of-another"}));
  const v1::Assignments message = NextOfTouched(&sender);
  ASSERT_EQ(message.assignments_size(), 2);
  EXPECT_EQ(message.assignments(0).pod().metadata().name(), "a");
  EXPECT_EQ(message.assignments(0).epoch(), 6);
  EXPECT_EQ(message.assignments(1).pod().metadata().name(), "c");
  ASSERT_EQ(message.removed_size(), 1);
  EXPECT_EQ(message.removed(0), "uid-b");
  v1::AssignmentsAck ack;
  ack.set_applied_revision(8);
  ack.set_assignments_digest(AssignmentsDigest({{"uid-a", 6}, {"uid-c", 7}}));
  EXPECT_TRUE(sender.Agrees(ack));
  // Looking at everything finds nothing that was missed.
  Next(&sender, /*expected=*/false);
}

TEST_F(Sending, FilesOfVolumesAreReferencesToo) {
  v1::Pod pod;
  pod.mutable_metadata()->set_namespace_("default");
  const auto volume = [&pod] { return pod.mutable_spec()->add_volumes(); };
  volume()->mutable_config_map()->set_name("map");
  volume()->mutable_secret()->set_secret_name("secret");
  v1::ProjectedVolumeSource* projected = volume()->mutable_projected();
  projected->add_sources()->mutable_config_map()->set_name("projected-map");
  projected->add_sources()->mutable_secret()->set_name("projected-secret");
  volume()->mutable_persistent_volume_claim()->set_claim_name("claim");
  v1::Container* init = pod.mutable_spec()->add_init_containers();
  init->add_env_from()->mutable_config_map_ref()->set_name("of-init");
  EXPECT_EQ(ReferencedKeys(pod),
            (std::set<std::string>{"configmaps/default/map", "configmaps/default/of-init",
                                   "configmaps/default/projected-map",
                                   "persistentvolumeclaims/default/claim",
                                   "secrets/default/projected-secret", "secrets/default/secret"}));
}

TEST_F(Sending, AClaimIsErasedOnceAfterItsLastPod) {
  const auto put_claim = [this](bool deleting, store::Rev rev) {
    v1::Object object = NewObject(*FindKind("PersistentVolumeClaim"));
    v1::PersistentVolumeClaim* claim = object.mutable_persistent_volume_claim();
    claim->mutable_metadata()->set_name("data");
    claim->mutable_metadata()->set_namespace_("default");
    claim->mutable_metadata()->set_uid("uid-data");
    claim->mutable_status()->set_node_name("node1");
    if (deleting) claim->mutable_metadata()->mutable_deletion_timestamp()->set_seconds(1);
    view_.Put(MakeEntry(std::move(object), rev, rev));
    view_.set_revision(rev);
  };
  PutPod("a", 5);
  v1::Object with_claim = view_.Find("pods/default/a")->object;
  with_claim.mutable_pod()
      ->mutable_spec()
      ->add_volumes()
      ->mutable_persistent_volume_claim()
      ->set_claim_name("data");
  view_.Put(MakeEntry(std::move(with_claim), 5, 5));
  put_claim(false, 6);
  AssignmentSender sender(Hello(), &view_, &reports_);
  EXPECT_EQ(Next(&sender).assignments(0).references_size(), 1);
  put_claim(true, 7);
  EXPECT_EQ(Next(&sender).erase_claims_size(), 0) << "its pod is there";
  RemovePod("a", 8);
  const v1::Assignments erased = Next(&sender);
  ASSERT_EQ(erased.erase_claims_size(), 1);
  EXPECT_EQ(erased.erase_claims(0), "uid-data");
  Next(&sender, /*expected=*/false);
  sender.Resync();
  EXPECT_EQ(Next(&sender).erase_claims_size(), 1) << "what was said may have been lost";
  AssignmentSender other(Hello(), &view_, &reports_);
  EXPECT_EQ(Next(&other).erase_claims_size(), 1) << "in each session anew";
}

TEST_F(Sending, WhatIsHeldBackIsToldOnceItIsNot) {
  PutPod("a", 5);
  PutPod("b", 5);
  AssignmentSender sender(Hello(), &view_, &reports_);
  EXPECT_EQ(Next(&sender).assignments_size(), 2);
  PutPod("a", 6);
  PutPod("b", 6);
  const std::string uid = Meta(view_.Find("pods/default/a")->object).uid();
  held_back_ = {uid};
  const v1::Assignments others = Next(&sender);
  ASSERT_EQ(others.assignments_size(), 1);
  EXPECT_EQ(others.assignments(0).pod().metadata().name(), "b");
  // The node holds what it was told before, and both agree on that.
  v1::AssignmentsAck ack;
  ack.set_applied_revision(others.results_in());
  ack.set_assignments_digest(
      AssignmentsDigest(std::map<std::string, int64_t>{{uid, 5}, {"uid-b", 6}}));
  EXPECT_TRUE(sender.Agrees(ack));
  Next(&sender, /*expected=*/false);
  held_back_.clear();
  const v1::Assignments last = Next(&sender);
  ASSERT_EQ(last.assignments_size(), 1);
  EXPECT_EQ(last.assignments(0).pod().metadata().name(), "a");
}

}  // namespace
}  // namespace cluster::controller
