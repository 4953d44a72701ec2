#include "cli/local/layout.h"

#include <set>

#include "gtest/gtest.h"

namespace cluster::cli {
namespace {

TEST(ClusterName, AllowsWhatAPathAndAGroupCanCarry) {
  for (const char* name : {"local", "a", "dev-2", "0123456789abcdefghij"}) {
    EXPECT_TRUE(CheckClusterName(name).ok()) << name;
  }
  for (const char* name : {"", "-a", "a-", "A", "a/b", "..", "a b", "0123456789abcdefghijk", "ü"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckClusterName(name))) << name;
  }
}

TEST(Definition, GivesEveryNodeAnAddressOfItsOwn) {
  const Definition definition = MakeDefinition("dev", 200);
  std::set<std::string> seen = {definition.controller_address};
  for (const LocalNode& node : definition.nodes) {
    EXPECT_TRUE(seen.insert(node.address).second) << node.name;
  }
  EXPECT_EQ(definition.Find("node200")->address, "10.63.0.201");
  EXPECT_EQ(definition.Find("node201"), nullptr);
}

TEST(LoadDefinition, SaysHowToMakeAClusterThatIsNotThere) {
  const absl::Status status = LoadDefinition(Layout{"no-such-cluster"}).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_NE(status.message().find("local up --name no-such-cluster"), absl::string_view::npos);
}

}  // namespace
}  // namespace cluster::cli
