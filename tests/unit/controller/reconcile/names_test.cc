#include "controller/reconcile/names.h"

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::controller {
namespace {

using ::testing::MatchesRegex;

v1::PodTemplateSpec Template(const std::string& image) {
  v1::PodTemplateSpec pod_template;
  auto& labels = *pod_template.mutable_metadata()->mutable_labels();
  for (const char* key : {"a", "b", "c", "d", "e"}) labels[key] = "x";
  pod_template.mutable_spec()->add_containers()->set_image(image);
  return pod_template;
}

TEST(Names, SuffixHasNoVowelsAndFollowsTheSeed) {
  Random a(7);
  Random b(7);
  const std::string suffix = RandomSuffix(&a);
  EXPECT_THAT(suffix, MatchesRegex("[bcdfghjklmnpqrstvwxz2456789]+"));
  EXPECT_EQ(suffix.size(), 5u);
  EXPECT_EQ(suffix, RandomSuffix(&b));
  EXPECT_NE(suffix, RandomSuffix(&b));
}

TEST(Names, UidIsAVersion4Uuid) {
  Random random(1);
  std::set<std::string> uids;
  for (int i = 0; i < 100; ++i) {
    const std::string uid = RandomUid(&random);
    ASSERT_EQ(uid.size(), 36u);
    EXPECT_EQ(uid[14], '4');
    EXPECT_NE(std::string("89ab").find(uid[19]), std::string::npos);
    uids.insert(uid);
  }
  EXPECT_EQ(uids.size(), 100u);
}

TEST(Names, JoinedNamesEndAt63AndStayValid) {
  EXPECT_EQ(JoinName("web", "abcde"), "web-abcde");
  EXPECT_EQ(JoinName(std::string(63, 'a'), "bcdfg"), std::string(57, 'a') + "-bcdfg");
  EXPECT_EQ(JoinName(std::string(56, 'a') + ".b", "bcdfg"), std::string(56, 'a') + "-bcdfg");
}

// Fixed for ever: the hash lives on in the names of ReplicaSets.
TEST(Names, TemplateHashIsFixedAndIgnoresItsOwnLabel) {
  v1::PodTemplateSpec pod_template = Template("app:1");
  const std::string hash = TemplateHash(pod_template);
  EXPECT_THAT(hash, MatchesRegex("[bcdfghjklmnpqrstvwxz2456789]+"));
  EXPECT_EQ(hash.size(), 10u);
  (*pod_template.mutable_metadata()->mutable_labels())["pod-template-hash"] = hash;
  EXPECT_EQ(TemplateHash(pod_template), hash);
  EXPECT_NE(TemplateHash(Template("app:2")), hash);
  EXPECT_NE(TemplateHash(Template("app:1"), 1), hash);
}

}  // namespace
}  // namespace cluster::controller
