#include "node/eviction/disk_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cluster::node {
namespace {

constexpr int64_t kMi = 1 << 20;

v1::PodSpec Spec(const std::vector<std::pair<std::string, std::string>>& containers) {
  v1::PodSpec spec;
  for (const auto& [name, limit] : containers) {
    v1::Container* container = spec.add_containers();
    container->set_name(name);
    if (limit.empty()) continue;
    (*container->mutable_resources()->mutable_limits())["ephemeral-storage"] = limit;
  }
  return spec;
}

void AddEmptyDir(const std::string& name, const std::string& limit, v1::PodSpec* spec) {
  v1::Volume* volume = spec->add_volumes();
  volume->set_name(name);
  volume->mutable_empty_dir()->set_size_limit(limit);
}

TEST(DiskLimitsTest, ThoseWithoutLimitsAreNotMeasured) {
  v1::PodSpec spec = Spec({{"web", ""}});
  EXPECT_FALSE(HasDiskLimits(spec));
  AddEmptyDir("cache", "", &spec);
  EXPECT_FALSE(HasDiskLimits(spec));
  AddEmptyDir("memory", "1Mi", &spec);
  spec.mutable_volumes(1)->mutable_empty_dir()->set_medium(v1::STORAGE_MEDIUM_MEMORY);
  EXPECT_FALSE(HasDiskLimits(spec)) << "a tmpfs is full by itself";
  AddEmptyDir("spool", "1Mi", &spec);
  EXPECT_TRUE(HasDiskLimits(spec));
  EXPECT_TRUE(HasDiskLimits(Spec({{"web", "1Mi"}})));
  EXPECT_EQ(DiskOverrun(Spec({{"web", ""}}), {{}, {{"web", 100 * kMi}}, 0}), "");
}

TEST(DiskLimitsTest, AContainerIsHeldToItsLayerAndLogs) {
  const v1::PodSpec spec = Spec({{"web", "10Mi"}, {"log", ""}});
  EXPECT_EQ(DiskOverrun(spec, {{}, {{"web", 10 * kMi}, {"log", 99 * kMi}}, 0}), "");
  EXPECT_EQ(DiskOverrun(spec, {{}, {{"web", 10 * kMi + 1}}, 0}),
            "Container web exceeded its local ephemeral storage limit \"10Mi\".");
}

TEST(DiskLimitsTest, AnEmptyDirIsHeldToItsSize) {
  v1::PodSpec spec = Spec({{"web", ""}});
  AddEmptyDir("cache", "5Mi", &spec);
  EXPECT_EQ(DiskOverrun(spec, {{{"cache", 5 * kMi}}, {}, 0}), "");
  EXPECT_EQ(DiskOverrun(spec, {{{"cache", 6 * kMi}}, {}, 0}),
            "Usage of EmptyDir volume \"cache\" exceeds the limit \"5Mi\".");
}

TEST(DiskLimitsTest, AllTogetherAreHeldToTheSumWhereEveryContainerHasALimit) {
  const v1::PodSpec spec = Spec({{"web", "10Mi"}, {"log", "5Mi"}});
  const PodDisk within = {{{"cache", 3 * kMi}}, {{"web", 8 * kMi}, {"log", 4 * kMi}}, 0};
  EXPECT_EQ(DiskOverrun(spec, within), "");
  const PodDisk beyond = {{{"cache", 4 * kMi}}, {{"web", 8 * kMi}, {"log", 4 * kMi}}, 0};
  EXPECT_EQ(DiskOverrun(spec, beyond),
            "Pod ephemeral local storage usage exceeds the total limit of containers 15Mi.");
}

}  // namespace
}  // namespace cluster::node
