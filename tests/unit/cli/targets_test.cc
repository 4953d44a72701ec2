#include "cli/commands/targets.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

namespace cluster::cli {
namespace {

std::string Parsed(const std::vector<std::string>& words) {
  const auto targets = ParseTargets(words);
  if (!targets.ok()) {
    EXPECT_TRUE(IsUsageError(targets.status()));
    return std::string(targets.status().message());
  }
  return absl::StrJoin(*targets, " ", [](std::string* out, const Target& target) {
    absl::StrAppend(out, TargetText(*target.kind, target.name));
  });
}

TEST(TargetsTest, KindsAndNamesInEveryForm) {
  EXPECT_EQ(Parsed({"pods"}), "pod/");
  EXPECT_EQ(Parsed({"po,deploy"}), "pod/ deployment/");
  EXPECT_EQ(Parsed({"Pod", "a", "b"}), "pod/a pod/b");
  EXPECT_EQ(Parsed({"pod/a", "deployments.apps/b"}), "pod/a deployment/b");
  EXPECT_EQ(Parsed({"all"}),
            "pod/ service/ daemonset/ deployment/ replicaset/ statefulset/ "
            "horizontalpodautoscaler/ job/ cronjob/");
}

TEST(TargetsTest, WrongOnesSayWhatIsMeant) {
  EXPECT_EQ(Parsed({"podz"}), "there is no kind \"podz\"; did you mean \"pods\"?");
  EXPECT_EQ(Parsed({"ingress"}), "\"ingress\" is not supported yet");
  EXPECT_EQ(Parsed({"pod/a", "b"}), "\"b\" is not KIND/NAME; do not mix KIND NAME and KIND/NAME");
  EXPECT_EQ(Parsed({"pod", "pod/b"}),
            "\"pod/b\" is not a name; do not mix KIND NAME and KIND/NAME");
  EXPECT_EQ(Parsed({"pod/"}), "\"pod/\" is not KIND/NAME; do not mix KIND NAME and KIND/NAME");
  EXPECT_EQ(Parsed({"deployments.batch"}),
            "there is no kind \"deployments.batch\"; see clusterctl api-resources");
}

TEST(TargetsTest, OneTargetMayBeABareNameWhereTheKindIsClear) {
  const auto bare = ParseOneTarget({"web-1"}, "Pod");
  ASSERT_TRUE(bare.ok()) << bare.status();
  EXPECT_EQ(TargetText(*bare->kind, bare->name), "pod/web-1");
  EXPECT_FALSE(ParseOneTarget({"pod", "a", "b"}).ok());
  EXPECT_FALSE(ParseOneTarget({"pods"}).ok());
}

}  // namespace
}  // namespace cluster::cli
