// Hostile shapes of one document's full size: the work is bounded, whatever they are. What is
// asserted is what was built or refused, not time.
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/schema/yaml_tree.h"

namespace cluster {
namespace {

using testing::HasSubstr;

constexpr size_t kMegabyte = 1 << 20;

std::string Repeat(absl::string_view piece, size_t bytes) {
  std::string text;
  text.reserve(bytes + piece.size());
  while (text.size() + piece.size() <= bytes) absl::StrAppend(&text, piece);
  return text;
}

YamlDocument Parse(const std::string& text) {
  const ReadLimits limits;
  EXPECT_FALSE(FindTextFault(text).has_value());
  return ParseYaml(text, {0, text.size()}, limits);
}

// The message of the fault that ended it.
std::string Refusal(const std::string& text) {
  const YamlDocument document = Parse(text);
  EXPECT_EQ(document.root, nullptr);
  EXPECT_LE(document.nodes.size(), 20'001u);
  return document.faults.empty() ? "" : document.faults.back().message;
}

TEST(ReaderLimits, EndNestingInEveryStyle) {
  const std::string closed = Repeat("[", kMegabyte / 2) + Repeat("]", kMegabyte / 2);
  EXPECT_THAT(Refusal(closed), HasSubstr("nested more than 64"));
  const std::string maps = Repeat("{a: ", kMegabyte / 5 * 4) + Repeat("}", kMegabyte / 5);
  EXPECT_THAT(Refusal(maps), HasSubstr("nested more than 64"));
  EXPECT_THAT(Refusal(Repeat("- ", kMegabyte)), HasSubstr("nested more than 64"));
  EXPECT_NE(Refusal(Repeat("[", kMegabyte)), "");
  EXPECT_NE(Refusal(Repeat("{a: ", kMegabyte)), "");
  EXPECT_NE(Refusal(Repeat("? ", kMegabyte)), "");
  std::string stairs;
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&stairs, std::string(i, ' '), "a:\n");
  EXPECT_THAT(Refusal(stairs), HasSubstr("nested"));
}

TEST(ReaderLimits, AllowSixtyFourLevels) {
  const std::string deepest = std::string(64, '[') + std::string(64, ']');
  EXPECT_NE(Parse(deepest).root, nullptr);
  EXPECT_THAT(Refusal("[" + deepest + "]"), HasSubstr("nested"));
  EXPECT_THAT(Refusal("a: &x " + std::string(40, '[') + std::string(40, ']') +
                      "\nb: " + std::string(40, '[') + "*x" + std::string(40, ']')),
              HasSubstr("with this alias"));
}

TEST(ReaderLimits, EndTheNumberOfValues) {
  EXPECT_THAT(Refusal("[" + Repeat("a,", kMegabyte - 2) + "]"), HasSubstr("20000 values"));
  EXPECT_THAT(Refusal("[" + Repeat(",", kMegabyte - 2) + "]"), HasSubstr("20000 values"));
  EXPECT_THAT(Refusal(Repeat("- a\n", kMegabyte)), HasSubstr("20000 values"));
  EXPECT_THAT(Refusal(Repeat("-\n", kMegabyte)), HasSubstr("20000 values"));
  std::string keys;
  for (int i = 0; keys.size() < kMegabyte - 20; ++i) absl::StrAppend(&keys, "k", i, ":\n");
  EXPECT_THAT(Refusal(keys), HasSubstr("20000 values"));
}

TEST(ReaderLimits, CountWhatAliasesStandFor) {
  std::string laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 10; ++i) {
    absl::StrAppend(&laughs, "a", i, ": &a", i, " [");
    for (int j = 0; j < 10; ++j) absl::StrAppend(&laughs, "*a", i - 1, ",");
    laughs += "]\n";
  }
  EXPECT_THAT(Refusal(laughs), HasSubstr("counting what aliases stand for"));
}

TEST(ReaderLimits, CountTheBytesThatAliasesStandFor) {
  const std::string text = "a: &a \"" + std::string(kMegabyte / 2, 'x') + "\"\nb: [*a, *a, *a]\n";
  EXPECT_THAT(Refusal(text), HasSubstr("bytes, counting what aliases stand for"));
}

TEST(ReaderLimits, CountMergedKeys) {
  std::string text = "a: &a {";
  for (int i = 0; i < 5000; ++i) absl::StrAppend(&text, "k", i, ": 1, ");
  text += "}\nb:\n";
  for (int i = 0; i < 100; ++i) text += "- <<: [*a, *a]\n";
  EXPECT_THAT(Refusal(text), HasSubstr("counting what aliases stand for"));
}

TEST(ReaderLimits, BoundLargeScalarsAndComments) {
  for (const std::string& text :
       {std::string("a: ") + std::string(kMegabyte - 3, 'x'),
        "a: \"" + std::string(kMegabyte - 5, 'x') + "\"",
        "a: '" + Repeat("''", kMegabyte - 6) + "'", "a: |\n " + Repeat("x\n ", kMegabyte - 7),
        "a: >\n " + Repeat("x\n\n ", kMegabyte - 7), "a: " + Repeat("x\n  ", kMegabyte - 4),
        "a: x" + std::string(kMegabyte - 4, ' '), "a: \"x" + Repeat(" \n", kMegabyte - 7) + "\"",
        Repeat("# c\n", kMegabyte), "#" + std::string(kMegabyte - 1, 'c'), Repeat("\n", kMegabyte),
        Repeat(" ", kMegabyte), "a: x" + Repeat(" #", kMegabyte - 4)}) {
    const YamlDocument document = Parse(text);
    EXPECT_LE(document.nodes.size(), 3u);
    EXPECT_TRUE(document.faults.empty()) << document.faults.back().message;
  }
}

TEST(ReaderLimits, EndTheSizeOfDocumentAndInput) {
  EXPECT_THAT(Refusal("a: " + std::string(kMegabyte, 'x')), HasSubstr("larger than 1048576"));
  ReadLimits limits;
  limits.total_bytes = 100;
  const ReadResult result = ReadManifests(std::string(101, '#'), "f", limits);
  ASSERT_EQ(result.errors.size(), 1u);
  EXPECT_THAT(result.errors[0].ToString(), HasSubstr("f: the input is larger than 100 bytes"));
}

TEST(ReaderLimits, LimitEachDocumentAlone) {
  const std::string one = "a: " + std::string(kMegabyte - 100, 'x') + "\n---\n";
  const ReadResult result = ReadManifests(one + one + one, "f");
  for (const ReadError& error : result.errors) {
    EXPECT_THAT(error.message, testing::AnyOf(HasSubstr("kind: missing"), HasSubstr("apiVersion")));
  }
}

}  // namespace
}  // namespace cluster
