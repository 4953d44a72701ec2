#include "proto/schema/source_text.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

std::vector<std::string> Split(absl::string_view text) {
  std::vector<std::string> parts;
  for (const DocumentRange& range : SplitDocuments(text)) {
    parts.emplace_back(text.substr(range.begin, range.end - range.begin));
  }
  return parts;
}

TEST(SplitDocuments, CutsAtMarkersAlone) {
  using testing::ElementsAre;
  EXPECT_THAT(Split(""), ElementsAre());
  EXPECT_THAT(Split("# only\n\n"), ElementsAre());
  EXPECT_THAT(Split("a: 1\n"), ElementsAre("a: 1\n"));
  EXPECT_THAT(Split("a: 1\n---\nb: 2\n"), ElementsAre("a: 1\n", "---\nb: 2\n"));
  EXPECT_THAT(Split("# c\n%YAML 1.2\n---\na: 1"), ElementsAre("---\na: 1"));
  EXPECT_THAT(Split("a: 1\n...\n# c\n---\r\nb: 2"), ElementsAre("a: 1\n", "---\r\nb: 2"));
  EXPECT_THAT(Split("a: |\n  ---\n----: 1\n"), ElementsAre("a: |\n  ---\n----: 1\n"));
  EXPECT_THAT(Split("--- {a: 1}"), ElementsAre("--- {a: 1}"));
}

TEST(FindTextFault, FindsWhatIsNoText) {
  EXPECT_FALSE(FindTextFault("a: \u00e4\U0001F600\t\r\n").has_value());
  const std::pair<std::string, size_t> faults[] = {{"a\xff", 1},
                                                   {"ab\xc3", 2},
                                                   {"\xc0\xaf", 0},
                                                   {"\xed\xa0\x80", 0},
                                                   {"\xf4\x90\x80\x80", 0},
                                                   {std::string("a\0b", 3), 1},
                                                   {"a\x04", 1},
                                                   {"a\x7f", 1},
                                                   {"a\rb", 1},
                                                   {"\xe2\x82", 0}};
  for (const auto& [text, offset] : faults) {
    ASSERT_TRUE(FindTextFault(text).has_value()) << offset;
    EXPECT_EQ(FindTextFault(text)->offset, offset);
  }
}

TEST(MendUtf8, MakesCharactersOfLoneBytes) {
  EXPECT_EQ(MendUtf8("a\x85"
                     "b\xa0"),
            "a\u0085b\u00a0");
  EXPECT_EQ(MendUtf8("\u00e4\x85\U0001F600"), "\u00e4\u0085\U0001F600");
  EXPECT_EQ(MendUtf8(""), "");
}

TEST(TextPositions, CountsLinesAndCharacters) {
  const std::string text = "ab\n\u00e4\u00e4x\n" + std::string(1000, 'y');
  const TextPositions positions(text);
  EXPECT_EQ(positions.At(0).line, 1);
  EXPECT_EQ(positions.At(0).column, 1);
  EXPECT_EQ(positions.At(7).line, 2);
  EXPECT_EQ(positions.At(7).column, 3);
  EXPECT_EQ(positions.At(9 + 700).line, 3);
  EXPECT_EQ(positions.At(9 + 700).column, 701);
  EXPECT_EQ(positions.At(1 << 20).column, 1001);
}

TEST(TextPositions, AcceptsTheEndOfTextOfEveryLength) {
  for (size_t length : {0u, 1u, 255u, 256u, 257u, 512u}) {
    const std::string text(length, 'x');
    EXPECT_EQ(TextPositions(text).At(length).column, static_cast<int>(length) + 1);
  }
}

}  // namespace
}  // namespace cluster
