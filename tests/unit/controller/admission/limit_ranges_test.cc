#include "controller/admission/limit_ranges.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "rules.h"
#include "tests/domain/builders.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

using domain::Pod;
using domain::World;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LimitRangeRules : public ::testing::Test {
 protected:
  void Put(const std::string& item, const std::string& name = "limits") {
    world_.Put(Range(name, item));
  }
  LimitRanges ranges() const { return LimitRanges(world_.view(), "default"); }
  v1::Object Filled(v1::Object object) const {
    ranges().FillIn(&object);
    return object;
  }
  static const v1::ResourceRequirements& ResourcesOf(const v1::Object& pod) {
    return pod.pod().spec().containers(0).resources();
  }

  World world_;
};

TEST_F(LimitRangeRules, Behaviour55APodThatAsksForNothingGetsTheDefaults) {
  Put("type: Container, default: {cpu: 500m, memory: 64Mi}, defaultRequest: {cpu: 100m}");
  const v1::Object pod = Filled(Pod("web"));
  EXPECT_EQ(ResourcesOf(pod).limits().at("cpu"), "500m");
  EXPECT_EQ(ResourcesOf(pod).limits().at("memory"), "64Mi");
  EXPECT_EQ(ResourcesOf(pod).requests().at("cpu"), "100m");
  EXPECT_EQ(ResourcesOf(pod).requests().at("memory"), "64Mi") << "the default limit";
  EXPECT_EQ(Meta(pod).annotations().at("kubernetes.io/limit-ranger"),
            "LimitRanger plugin set: cpu, memory request for container main; cpu, memory limit for "
            "container main");
}

TEST_F(LimitRangeRules, Behaviour55WhatIsWrittenStays) {
  Put("type: Container, default: {cpu: 500m}, defaultRequest: {cpu: 100m}");
  const v1::Object pod = Filled(Pod("web").Request("cpu", "2").Limit("cpu", "3"));
  EXPECT_EQ(ResourcesOf(pod).requests().at("cpu"), "2");
  EXPECT_EQ(ResourcesOf(pod).limits().at("cpu"), "3");
  EXPECT_FALSE(Meta(pod).annotations().contains("kubernetes.io/limit-ranger"));
}

TEST_F(LimitRangeRules, OfOtherNamespacesNothingIsTaken) {
  v1::Object range = Range("limits", "type: Container, default: {cpu: 500m}");
  MutableMeta(&range)->set_namespace_("other");
  world_.Put(range);
  EXPECT_TRUE(ranges().empty());
  EXPECT_TRUE(ResourcesOf(Filled(Pod("web"))).limits().empty());
}

TEST_F(LimitRangeRules, Behaviour55OutsideOfMinAndMaxIsRefusedInKubernetesWords) {
  Put("type: Container, min: {cpu: 100m}, max: {cpu: 1, memory: 1Gi}");
  EXPECT_THAT(ranges().Problems(Pod("web")
                                    .Request("cpu", "50m")
                                    .Limit("cpu", "2")
                                    .Request("memory", "10Mi")
                                    .Limit("memory", "1Gi")),
              ElementsAre("minimum cpu usage per Container is 100m, but request is 50m",
                          "maximum cpu usage per Container is 1, but limit is 2"));
  EXPECT_THAT(ranges().Problems(Pod("web")),
              ElementsAre("minimum cpu usage per Container is 100m.  No request is specified",
                          "maximum cpu usage per Container is 1.  No limit is specified",
                          "maximum memory usage per Container is 1Gi.  No limit is specified"));
  EXPECT_THAT(ranges().Problems(Filled(Pod("web"))), IsEmpty()) << "the defaults are within";
}

TEST_F(LimitRangeRules, ALimitMayBeOnlySoManyTimesTheRequest) {
  Put("type: Container, maxLimitRequestRatio: {cpu: 2500m}");
  EXPECT_THAT(ranges().Problems(Pod("web").Request("cpu", "100m").Limit("cpu", "250m")), IsEmpty());
  EXPECT_THAT(ranges().Problems(Pod("web").Request("cpu", "100m").Limit("cpu", "300m")),
              ElementsAre("cpu max limit to request ratio per Container is 2500m, but provided "
                          "ratio is 3.000000"));
  EXPECT_THAT(ranges().Problems(Pod("web").Limit("cpu", "1")),
              ElementsAre("cpu max limit to request ratio per Container is 2500m, but no request "
                          "is specified or request is 0"));
}

TEST_F(LimitRangeRules, APodIsTheSumOfItsContainers) {
  Put("type: Pod, max: {cpu: 1}");
  Pod pod("web");
  pod.Request("cpu", "600m").Limit("cpu", "600m");
  EXPECT_THAT(ranges().Problems(pod), IsEmpty());
  *pod.spec()->add_containers() = pod.spec()->containers(0);
  EXPECT_THAT(ranges().Problems(pod),
              ElementsAre("maximum cpu usage per Pod is 1, but limit is 1200m",
                          "maximum cpu usage per Pod is 1, but request is 1200m"));
}

TEST_F(LimitRangeRules, AClaimHasBoundsOfStorage) {
  Put("type: PersistentVolumeClaim, min: {storage: 1Gi}, max: {storage: 5Gi}");
  EXPECT_THAT(ranges().Problems(domain::Claim("data").Asks("2Gi")), IsEmpty());
  EXPECT_THAT(ranges().Problems(domain::Claim("data").Asks("512Mi")),
              ElementsAre("minimum storage usage per PersistentVolumeClaim is 1Gi, but request is "
                          "512Mi"));
  EXPECT_THAT(ranges().Problems(domain::Claim("data").Asks("6Gi")),
              ElementsAre("maximum storage usage per PersistentVolumeClaim is 5Gi, but request is "
                          "6Gi"));
}

TEST_F(LimitRangeRules, WhatWasFilledInStaysWhenTheManifestIsAppliedAgain) {
  Put("type: Container, default: {cpu: 500m}");
  const v1::Object before = Filled(Pod("web"));
  v1::Object after = Pod("web");
  KeepFilledIn(before, &after);
  EXPECT_EQ(ResourcesOf(after).limits().at("cpu"), "500m");
  EXPECT_TRUE(Meta(after).annotations().contains("kubernetes.io/limit-ranger"));
  v1::Object changed = Pod("web").Limit("cpu", "1");
  KeepFilledIn(before, &changed);
  EXPECT_EQ(ResourcesOf(changed).limits().at("cpu"), "1");
  v1::Object bare = Pod("web");
  KeepFilledIn(Pod("web").Limit("cpu", "1"), &bare);
  EXPECT_TRUE(ResourcesOf(bare).limits().empty()) << "that was the user's own, and is removed";
}

}  // namespace
}  // namespace cluster::controller
