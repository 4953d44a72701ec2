#include "gmock/gmock.h"

#include "command_run.h"
#include "proto/schema/kinds.h"

namespace cluster::cli {
namespace {

class LabelTest : public CommandTest {
 protected:
  LabelTest() { PutWithStatus(PodManifest("web-1"), kReady); }
  std::string LabelOf(const std::string& key) {
    return Meta(cluster_.Stored("pods/default/web-1")).labels().at(key);
  }
};

TEST_F(LabelTest, SetsAndRemoves) {
  EXPECT_EQ(Run({"label", "pod", "web-1", "tier=front"}).out, "pod/web-1 labeled\n");
  EXPECT_EQ(LabelOf("tier"), "front");
  EXPECT_EQ(Run({"label", "pod/web-1", "tier=front"}).out, "pod/web-1 unchanged\n");
  EXPECT_EQ(Run({"label", "pods", "-l", "tier=front", "tier-"}).out, "pod/web-1 labeled\n");
  EXPECT_EQ(Meta(cluster_.Stored("pods/default/web-1")).labels().count("tier"), 0u);
  EXPECT_EQ(Run({"annotate", "pod", "web-1", "why=a b=c"}).out, "pod/web-1 annotated\n");
  EXPECT_EQ(Meta(cluster_.Stored("pods/default/web-1")).annotations().at("why"), "a b=c");
}

TEST_F(LabelTest, ChangesAValueOnlyWhenToldTo) {
  const Outcome outcome = Run({"label", "pod", "web-1", "app=other"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "error: pod/web-1 has app=web already; give --overwrite to change it\n");
  EXPECT_EQ(Run({"label", "pod", "web-1", "app=other", "--overwrite"}).code, 0);
  EXPECT_EQ(LabelOf("app"), "other");
}

TEST_F(LabelTest, ReadsAgainWhenSomebodyElseWasFaster) {
  cluster_.ChangeBeforeNextWrite("pods/default/web-1");
  const Outcome outcome = Run({"label", "pod", "web-1", "tier=front"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(LabelOf("tier"), "front");
  EXPECT_EQ(cluster_.writes(), 1);
}

TEST_F(LabelTest, WrongUsage) {
  EXPECT_EQ(Run({"label", "pod", "web-1"}).code, 2);
  EXPECT_EQ(Run({"label", "pods", "a=b"}).code, 2);
  EXPECT_EQ(Run({"label", "pod", "a=b", "web-1"}).code, 2);
  EXPECT_EQ(Run({"label", "pod", "none", "a=b"}).code, 1);
}

}  // namespace
}  // namespace cluster::cli
