#include "controller/reconcile/priority.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/admission/admission.h"
#include "tests/domain/builders.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

using domain::Pod;
using domain::ReplicaSet;
using domain::World;

v1::Object Class(const std::string& name, int value, bool is_default = false,
                 v1::PreemptionPolicy policy = v1::PREEMPTION_POLICY_PREEMPT_LOWER_PRIORITY) {
  v1::Object object;
  v1::PriorityClass* made = object.mutable_priority_class();
  made->mutable_metadata()->set_name(name);
  made->set_value(value);
  made->set_global_default(is_default);
  made->set_preemption_policy(policy);
  return object;
}

v1::PodSpec Of(const std::string& name) {
  v1::PodSpec spec;
  spec.set_priority_class_name(name);
  return spec;
}

TEST(Priority, ComesOfTheClassThatThePodNames) {
  World world;
  world.Put(Class("high", 1000, false, v1::PREEMPTION_POLICY_NEVER));
  const PriorityClasses classes(world.view());
  v1::PodSpec spec = Of("high");
  EXPECT_EQ(classes.Admit(&spec).message, "");
  EXPECT_EQ(spec.priority(), 1000);
  EXPECT_EQ(spec.preemption_policy(), v1::PREEMPTION_POLICY_NEVER);
  // Once more, as an object that was read and is made anew.
  EXPECT_EQ(classes.Admit(&spec).message, "");
}

TEST(Priority, ThoseThatNameNoneGetTheDefaultOrNothing) {
  World world;
  v1::PodSpec spec;
  EXPECT_EQ(PriorityClasses(world.view()).Admit(&spec).message, "");
  EXPECT_EQ(spec.priority_class_name(), "");
  EXPECT_EQ(spec.priority(), 0);
  EXPECT_EQ(spec.preemption_policy(), v1::PREEMPTION_POLICY_PREEMPT_LOWER_PRIORITY);
  world.Put(Class("normal", 7, true));
  v1::PodSpec other;
  EXPECT_EQ(PriorityClasses(world.view()).Admit(&other).message, "");
  EXPECT_EQ(other.priority_class_name(), "normal");
  EXPECT_EQ(other.priority(), 7);
  EXPECT_EQ(PriorityClasses(world.view()).OtherDefault("high"), "normal");
  EXPECT_EQ(PriorityClasses(world.view()).OtherDefault("normal"), "");
}

TEST(Priority, TheSystemsClassesAreAlwaysThere) {
  const World world;
  const PriorityClasses classes(world.view());
  v1::PodSpec cluster_critical = Of("system-cluster-critical");
  v1::PodSpec node_critical = Of("system-node-critical");
  EXPECT_EQ(classes.Admit(&cluster_critical).message, "");
  EXPECT_EQ(classes.Admit(&node_critical).message, "");
  EXPECT_EQ(cluster_critical.priority(), 2000000000);
  EXPECT_EQ(node_critical.priority(), 2000001000);
}

TEST(Priority, SaysWhatIsWrong) {
  World world;
  world.Put(Class("high", 1000));
  const PriorityClasses classes(world.view());
  v1::PodSpec unknown = Of("low");
  EXPECT_EQ(classes.Admit(&unknown).message,
            "no PriorityClass with name low was found; create it first");
  v1::PodSpec other_number = Of("high");
  other_number.set_priority(5);
  EXPECT_EQ(classes.Admit(&other_number).field, "priority");
  v1::PodSpec other_policy = Of("high");
  other_policy.set_preemption_policy(v1::PREEMPTION_POLICY_NEVER);
  EXPECT_EQ(classes.Admit(&other_policy).field, "preemptionPolicy");
}

TEST(Priority, PodsOfReconcilersGetItAndAreNotMadeWithoutTheirClass) {
  World world;
  world.Put(Class("high", 1000));
  world.Put(ReplicaSet("web"));
  const v1::Object owner = world.Find("replicasets/default/web")->object;
  Changes changes;
  changes.Create(Pod("a").OwnedBy(owner).With(
      [](v1::PodSpec* spec) { spec->set_priority_class_name("high"); }));
  changes.Create(Pod("b").OwnedBy(owner).With(
      [](v1::PodSpec* spec) { spec->set_priority_class_name("gone"); }));
  AdmitCreations(world.view(), absl::UnixEpoch(), &changes);
  // The other write is its owner's condition, which keeps the event from being told in every pass.
  ASSERT_EQ(changes.writes.size(), 2u);
  EXPECT_EQ(changes.writes[0].put->pod().spec().priority(), 1000);
  EXPECT_TRUE(changes.writes[1].put->has_replica_set());
  ASSERT_EQ(changes.events.size(), 1u);
  EXPECT_EQ(changes.events[0].involved.name(), "web");
  EXPECT_EQ(changes.events[0].reason, "FailedCreate");
  EXPECT_EQ(
      changes.events[0].message,
      "Error creating: pods \"web-\" is forbidden: no PriorityClass with name gone was found; "
      "create it first");
}

}  // namespace
}  // namespace cluster::controller
