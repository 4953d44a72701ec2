#include "cli/output/explain.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/schema/kinds.h"

namespace cluster::cli {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(Explain, AKindWithItsFields) {
  const auto text = Explain("deploy", false);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, StartsWith("GROUP:      apps\nKIND:       Deployment\nVERSION:    v1\n\n"
                                "DESCRIPTION:\n"));
  EXPECT_THAT(*text, HasSubstr("\nFIELDS:\n  apiVersion\t<string>\n"));
  EXPECT_THAT(*text, HasSubstr("  spec\t<DeploymentSpec>\n"));
}

TEST(Explain, AFieldWithItsTypeAndComment) {
  const auto strategy = Explain("deployment.spec.strategy", false);
  ASSERT_TRUE(strategy.ok()) << strategy.status();
  EXPECT_THAT(*strategy, HasSubstr("FIELD: strategy <DeploymentStrategy>\n"));
  EXPECT_THAT(*strategy, HasSubstr("  type\t<string>\n  enum: RollingUpdate, Recreate\n"));
  const auto surge = Explain("deployment.spec.strategy.rollingUpdate.maxSurge", false);
  ASSERT_TRUE(surge.ok()) << surge.status();
  EXPECT_THAT(*surge, HasSubstr("FIELD: maxSurge <IntOrString>\n"));
  EXPECT_THAT(*surge, HasSubstr("Pods above replicas"));
  EXPECT_THAT(*surge, Not(HasSubstr("FIELDS:")));
  EXPECT_THAT(*Explain("pod.spec.containers.resources", false),
              HasSubstr("  requests\t<map[string]Quantity>\n"));
  EXPECT_THAT(*Explain("pod.spec.containers", false), HasSubstr("FIELD: containers <[]Container>"));
}

TEST(Explain, EveryNameBelow) {
  const auto text = Explain("deployment.spec.strategy", true);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, HasSubstr("  rollingUpdate\t<RollingUpdate>\n    maxSurge\t<IntOrString>\n"));
}

TEST(Explain, SaysWhatIsNotThere) {
  EXPECT_EQ(Explain("nonsense", false).status().message(),
            "there is no kind \"nonsense\"; see `clusterctl api-resources`");
  EXPECT_THAT(std::string(Explain("deploy.spec.replica", false).status().message()),
              StartsWith("field \"replica\" does not exist in deploy.spec; there are replicas, "));
  EXPECT_EQ(Explain("deploy.spec.replicas.x", false).status().message(),
            "deploy.spec.replicas is a <integer>, nothing is below it");
}

TEST(Explain, EveryKind) {
  for (const Kind& kind : AllKinds()) {
    EXPECT_TRUE(Explain(kind.plural, true).ok()) << kind.name;
    EXPECT_TRUE(Explain(kind.name + ".metadata.labels", false).ok()) << kind.name;
  }
}

}  // namespace
}  // namespace cluster::cli
