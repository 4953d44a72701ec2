#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "command_run.h"

namespace cluster::cli {
namespace {

using testing::HasSubstr;
using testing::Not;
using DiffTest = CommandTest;

std::string Web(const std::string& image) {
  return absl::StrCat(
      "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 2, "
      "template: "
      "{metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: '",
      image, "'}]}}}}\n");
}

TEST_F(DiffTest, Behaviour76_ShowsTheChangeOfTheImageAndChangesNothing) {
  ASSERT_EQ(Run({"apply", "-f", "-"}, Web("web:1")).code, 0);
  Outcome outcome = Run({"diff", "-f", "-"}, Web("web:1"));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  outcome = Run({"diff", "-f", "-"}, Web("web:2"));
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("--- LIVE/deployment/web\n+++ MERGED/deployment/web\n@@ "));
  EXPECT_THAT(outcome.out, testing::ContainsRegex("\n-[ -]*image: web:1\n\\+[ -]*image: web:2\n"));
  EXPECT_EQ(cluster_.Stored("deployments/default/web")
                .deployment()
                .spec()
                .template_()
                .spec()
                .containers(0)
                .image(),
            "web:1");
}

TEST_F(DiffTest, WhatWouldBeCreatedIsAllNew) {
  const Outcome outcome = Run({"diff", "-f", "-"}, Web("web:1"));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("--- /dev/null\n+++ MERGED/deployment/web\n@@ -0,0 +1,"));
  EXPECT_FALSE(cluster_.Has("deployments/default/web"));
}

TEST_F(DiffTest, SecretsAreNotShown) {
  const auto secret = [](const std::string& word) {
    return absl::StrCat("{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: ",
                        word, ", b: same}}\n");
  };
  ASSERT_EQ(Run({"apply", "-f", "-"}, secret("swordfish")).code, 0);
  const Outcome outcome = Run({"diff", "-f", "-"}, secret("mackerel"));
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  for (const char* word : {"swordfish", "mackerel", "c3dvcmRmaXNo", "bWFja2VyZWw"}) {
    EXPECT_THAT(outcome.out, Not(HasSubstr(word)));
  }
}

TEST_F(DiffTest, FailuresAreNotDifferences) {
  EXPECT_EQ(Run({"diff", "-f", "-"}, "{apiVersion: v1, kind: Pod}").code, 2);
  EXPECT_EQ(Run({"diff"}).code, 2);
  EXPECT_EQ(Run({"diff", "-f", "-", "--server", "unix:/nonexistent"}, Web("web:1")).code, 2);
}

}  // namespace
}  // namespace cluster::cli
