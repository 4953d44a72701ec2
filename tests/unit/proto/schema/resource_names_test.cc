#include "proto/schema/resource_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/schema/pod_tuning.h"

namespace cluster {
namespace {

TEST(ResourceNamesTest, HugepagesAreNamedByAPowerOfTwo) {
  EXPECT_EQ(HugepageSize("hugepages-2Mi"), 2 << 20);
  EXPECT_EQ(HugepageSize("hugepages-1Gi"), 1 << 30);
  for (const char* name : {"hugepages-", "hugepages-3Mi", "hugepages-x", "hugepages-0", "memory"}) {
    EXPECT_EQ(HugepageSize(name), std::nullopt) << name;
  }
}

TEST(ResourceNamesTest, ExtendedOnesHaveADomainThatIsNotKubernetes) {
  EXPECT_TRUE(IsExtendedResource("example.com/dongle"));
  for (const char* name : {"cpu", "kubernetes.io/x", "foo.kubernetes.io/x"}) {
    EXPECT_FALSE(IsExtendedResource(name)) << name;
  }
}

TEST(ResourceNamesTest, CpuIsCountedInThousandths) {
  EXPECT_EQ(ResourceAmount("cpu", "500m").value(), 500);
  EXPECT_EQ(ResourceAmount("example.com/dongle", "2").value(), 2);
  EXPECT_EQ(FormatResource("cpu", 1500), "1500m");
  EXPECT_EQ(FormatResource("hugepages-2Mi", 4 << 20), "4Mi");
  EXPECT_EQ(FormatResource("example.com/dongle", 1024), FormatResource("pods", 1024));
}

v1::ObjectMeta With(const std::string& key, const std::string& value) {
  v1::ObjectMeta meta;
  (*meta.mutable_annotations())[key] = value;
  return meta;
}

TEST(PodTuningTest, ReadsEveryAnnotation) {
  v1::ObjectMeta meta = With("cluster.v1/oom-policy", "process");
  (*meta.mutable_annotations())["cluster.v1/io-weight"] = "500";
  (*meta.mutable_annotations())["cluster.v1/io-max"] =
      "/dev/sda rbps=10Mi  wiops=100; 8:16 wbps=1k riops=5";
  (*meta.mutable_annotations())["example.com/else"] = "whatever";
  const PodTuning tuning = ParseTuning(meta).value();
  EXPECT_TRUE(tuning.oom_kills_process_alone);
  EXPECT_EQ(tuning.io_weight, 500);
  EXPECT_THAT(tuning.disks, ::testing::ElementsAre(DiskTuning{"/dev/sda", 10 << 20, 0, 0, 100},
                                                   DiskTuning{"8:16", 0, 1000, 5, 0}));
  EXPECT_FALSE(ParseTuning(With("cluster.v1/oom-policy", "container"))->oom_kills_process_alone);
  EXPECT_FALSE(ParseTuning({})->oom_kills_process_alone);
}

TEST(PodTuningTest, RefusesWhatIsNoDiskLimit) {
  for (const char* value : {"/dev/sda", "sda rbps=1", "/dev/../x rbps=1", "8 rbps=1", "8:0 rbps=0",
                            "8:0 rbps=-1", "8:0 bps=1", "8:0 rbps"}) {
    EXPECT_FALSE(ParseTuning(With("cluster.v1/io-max", value)).ok()) << value;
  }
  EXPECT_TRUE(ParseTuning(With("cluster.v1/io-max", ""))->disks.empty());
}

}  // namespace
}  // namespace cluster
