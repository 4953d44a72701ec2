#include "node/oci/flags.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "node/oci/commands/command.h"

namespace cluster::oci {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Flag kFlags[] = {{"force", 'f', Flag::kSwitch, nullptr, "do it"},
                           {"env", 'e', Flag::kList, "NAME=VALUE", "more"},
                           {"bundle", 'b', Flag::kValue, "DIR", "where"}};

absl::StatusOr<Arguments> Parse(std::vector<std::string> words, bool stop = false) {
  return ParseArguments(kFlags, words, stop);
}

TEST(OciFlags, EveryFormOfAValue) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--bundle", "/x"},
                                             {"--bundle=/x"},
                                             {"-b", "/x"},
                                             {"-b/x"},
                                             {"-b=/x"},
                                             {"-bundle", "/x"}}) {
    const auto parsed = Parse(words);
    ASSERT_TRUE(parsed.ok()) << words[0] << ": " << parsed.status();
    EXPECT_EQ(parsed->Text("bundle"), "/x") << words[0];
  }
}

TEST(OciFlags, FlagsMayStandBehindWordsButNotBehindACommandLine) {
  const auto mixed = Parse({"id", "--force", "-e", "A=1", "--env=B=2"});
  ASSERT_TRUE(mixed.ok()) << mixed.status();
  EXPECT_TRUE(mixed->Has("force"));
  EXPECT_THAT(mixed->Texts("env"), ElementsAre("A=1", "B=2"));
  EXPECT_THAT(mixed->rest(), ElementsAre("id"));
  const auto command = Parse({"-f", "id", "ls", "--force"}, true);
  ASSERT_TRUE(command.ok());
  EXPECT_THAT(command->rest(), ElementsAre("id", "ls", "--force"));
}

TEST(OciFlags, TwoDashesEndTheFlags) {
  const auto parsed = Parse({"--", "--force"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_FALSE(parsed->Has("force"));
  EXPECT_THAT(parsed->rest(), ElementsAre("--force"));
}

TEST(OciFlags, SwitchesCanBeTakenBack) {
  EXPECT_FALSE(Parse({"--force=false"})->Has("force"));
  EXPECT_TRUE(Parse({"--force=true"})->Has("force"));
  EXPECT_FALSE(Parse({"--force=maybe"}).ok());
}

TEST(OciFlags, MistakesAreNamed) {
  EXPECT_EQ(Parse({"--forse"}).status().message(), "unknown flag --forse: did you mean --force?");
  EXPECT_EQ(Parse({"--xyzzy"}).status().message(), "unknown flag --xyzzy");
  EXPECT_EQ(Parse({"--bundle"}).status().message(), "--bundle: needs a value");
  EXPECT_EQ(Parse({"-b", "x"})->Number("bundle", 0).status().message(),
            "--bundle 'x' is no number");
}

TEST(OciFlags, EveryCommandIsThereAndDescribed) {
  std::vector<std::string> names;
  for (const Command* command : Commands()) {
    names.push_back(command->name);
    EXPECT_NE(command->run, nullptr) << command->name;
    EXPECT_GT(std::string(command->help).size(), 10u) << command->name;
  }
  EXPECT_THAT(names,
              ElementsAre("create", "delete", "events", "exec", "features", "kill", "list", "pause",
                          "ps", "resume", "run", "spec", "start", "state", "update"));
  EXPECT_EQ(FindCommand("checkpoint"), nullptr);
}

}  // namespace
}  // namespace cluster::oci
