#include "proto/schema/enum_text.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "cluster/v1/pod.pb.h"

namespace cluster {
namespace {

TEST(EnumText, IsTheWordOfTheManifest) {
  EXPECT_EQ(EnumText(v1::POD_PHASE_RUNNING), "Running");
  EXPECT_EQ(EnumText(v1::POD_PHASE_UNSPECIFIED), "");
  EXPECT_EQ(EnumText(static_cast<v1::PodPhase>(99)), "");
  const auto& type = *v1::RestartPolicy_descriptor();
  EXPECT_EQ(FindEnumText(type, "Never")->number(), v1::RESTART_POLICY_NEVER);
  EXPECT_EQ(FindEnumText(type, ""), nullptr);
  EXPECT_EQ(FindEnumText(type, "never"), nullptr);
  EXPECT_THAT(EnumWords(type), testing::ElementsAre("Always", "OnFailure", "Never"));
}

TEST(DidYouMean, FindsSlipsOfTheKeyboard) {
  const std::vector<std::string> names = {"replicas", "selector", "spec", "podIP"};
  EXPECT_EQ(DidYouMean("replica", names), "replicas");
  EXPECT_EQ(DidYouMean("Replicas", names), "replicas");
  EXPECT_EQ(DidYouMean("slector", names), "selector");
  EXPECT_EQ(DidYouMean("sepc", names), "spec");
  EXPECT_EQ(DidYouMean("podip", names), "podIP");
}

TEST(DidYouMean, KeepsSilentRatherThanGuess) {
  EXPECT_EQ(DidYouMean("volumes", {"replicas", "spec"}), "");
  EXPECT_EQ(DidYouMean("", {"a"}), "");
  EXPECT_EQ(DidYouMean("x", {}), "");
  EXPECT_EQ(DidYouMean(std::string(100'000, 'x'), {std::string(100'000, 'x')}), "");
}

}  // namespace
}  // namespace cluster
