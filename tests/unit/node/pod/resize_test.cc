#include "node/pod/resize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/pod/decide.h"

namespace cluster::node {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

void SetLimits(const std::string& cpu, const std::string& memory, v1::Container* container) {
  for (auto* amounts : {container->mutable_resources()->mutable_limits(),
                        container->mutable_resources()->mutable_requests()}) {
    (*amounts)["cpu"] = cpu;
    (*amounts)["memory"] = memory;
  }
}

class ResizeTest : public ::testing::Test {
 protected:
  ResizeTest() {
    v1::Assignment assignment;
    assignment.mutable_pod()->mutable_metadata()->set_uid("u1");
    for (const char* name : {"web", "log"}) {
      v1::Container* container = assignment.mutable_pod()->mutable_spec()->add_containers();
      container->set_name(name);
      SetLimits("100m", "64Mi", container);
    }
    record_ = NewRecord(assignment, {absl::UnixEpoch(), absl::ZeroDuration(), "boot"});
    NoteSandbox(&record_);
    for (v1::ContainerRecord& container : *record_.mutable_containers()) {
      NoteStarted(container.name(), &record_);
      container.set_intended(true);
      container.set_started_ns(1);
    }
    record_.set_phase(v1::POD_PHASE_RUNNING);
  }
  v1::Container* Web() {
    return record_.mutable_assignment()->mutable_pod()->mutable_spec()->mutable_containers(0);
  }
  void Policy(const std::string& resource) {
    v1::ContainerResizePolicy* policy = Web()->add_resize_policy();
    policy->set_resource_name(resource);
    policy->set_restart_policy(v1::RESOURCE_RESIZE_RESTART_POLICY_RESTART_CONTAINER);
  }
  v1::PodRecord record_;
};

TEST_F(ResizeTest, NothingToDoForWhatIsAsItShouldBe) {
  EXPECT_FALSE(WantsResize(record_));
  EXPECT_FALSE(HasToResize(record_));
  SetLimits("0.1", "65536Ki", Web());
  EXPECT_FALSE(WantsResize(record_)) << "the same amounts in other words";
}

TEST_F(ResizeTest, IsGrantedThenSetThenDone) {
  SetLimits("300m", "128Mi", Web());
  EXPECT_TRUE(WantsResize(record_));
  EXPECT_FALSE(HasToResize(record_)) << "it was not granted yet";
  Grant(&record_);
  EXPECT_FALSE(WantsResize(record_));
  EXPECT_TRUE(HasToResize(record_));
  const ResizeSpec spec = ResizeSpecOf(record_).value();
  EXPECT_EQ(spec.pod.cpu_limit_milli, 400);
  EXPECT_EQ(spec.pod.memory_limit, 192 << 20);
  ASSERT_EQ(spec.containers.size(), 1u);
  EXPECT_EQ(spec.containers[0].name, "web");
  EXPECT_EQ(spec.containers[0].resources.cpu_limit_milli, 300);
  NoteResized(&record_);
  EXPECT_FALSE(HasToResize(record_));
  EXPECT_EQ(record_.containers(0).actual().limits().at("memory"), "128Mi");
}

TEST_F(ResizeTest, AContainerIsRestartedOnlyForTheResourceThatAsksForIt) {
  Policy("memory");
  SetLimits("300m", "64Mi", Web());
  Grant(&record_);
  EXPECT_THAT(ContainersToRestart(record_), IsEmpty());
  SetLimits("300m", "128Mi", Web());
  Grant(&record_);
  EXPECT_THAT(ContainersToRestart(record_), ElementsAre("web"));
}

TEST_F(ResizeTest, WhatIsStartedAfterItHasWhatWasGranted) {
  Policy("memory");
  SetLimits("100m", "128Mi", Web());
  Grant(&record_);
  v1::ContainerRecord* web = MutableContainer("web", &record_);
  web->mutable_terminated()->set_exit_code(143);
  EXPECT_TRUE(HasToResize(record_)) << "the pod's own group comes first";
  NoteResized(&record_);
  EXPECT_FALSE(HasToResize(record_));
  BeginStart("web", &record_);
  NoteStarted("web", &record_);
  EXPECT_EQ(FindContainer(record_, "web")->granted().limits().at("memory"), "128Mi");
  EXPECT_EQ(FindContainer(record_, "web")->actual().limits().at("memory"), "128Mi");
}

TEST_F(ResizeTest, AWaitingResizeDoesNotReachInstancesThatStartMeanwhile) {
  SetLimits("300m", "64Mi", Web());
  MutableContainer("web", &record_)->mutable_terminated()->set_exit_code(1);
  BeginStart("web", &record_);
  NoteStarted("web", &record_);
  EXPECT_EQ(FindContainer(record_, "web")->actual().limits().at("cpu"), "100m");
  EXPECT_EQ(GrantedSpec(record_).containers(0).resources().limits().at("cpu"), "100m");
}

TEST_F(ResizeTest, FitsBesideTheOthersOrWaitsOrNeverWill) {
  NodeRoom node;
  node.allocatable = {1000, 1 << 30};
  node.others = {500, 0};
  SetLimits("400m", "64Mi", Web());
  EXPECT_EQ(RoomFor(record_, node), Room::kEnough);
  SetLimits("450m", "64Mi", Web());
  EXPECT_EQ(RoomFor(record_, node), Room::kLater);
  EXPECT_THAT(RoomMessage(Room::kLater, record_, node),
              HasSubstr("cpu, requested: 550m, there are: 500m."));
  SetLimits("950m", "64Mi", Web());
  EXPECT_EQ(RoomFor(record_, node), Room::kNever);
  EXPECT_THAT(RoomMessage(Room::kNever, record_, node),
              HasSubstr("cpu, requested: 1050m, there are: 1."));
  // Less is always possible, also on a node that holds more than it may.
  node.others = {5000, 5LL << 30};
  SetLimits("50m", "32Mi", Web());
  EXPECT_EQ(RoomFor(record_, node), Room::kEnough);
  EXPECT_EQ(RoomFor(record_, NodeRoom()), Room::kEnough);
}

TEST_F(ResizeTest, WhatCannotBeSetIsTakenBack) {
  SetLimits("300m", "64Mi", Web());
  Grant(&record_);
  Revoke(&record_);
  EXPECT_FALSE(HasToResize(record_));
  EXPECT_TRUE(WantsResize(record_));
}

TEST_F(ResizeTest, APodThatEndsWantsNothing) {
  SetLimits("300m", "64Mi", Web());
  record_.set_assigned(false);
  EXPECT_FALSE(WantsResize(record_));
}

}  // namespace
}  // namespace cluster::node
