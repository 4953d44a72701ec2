#include "cli/output/line_diff.h"

#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace cluster::cli {
namespace {

std::string Numbers(int from, int to) {
  std::string text;
  for (int i = from; i <= to; ++i) absl::StrAppend(&text, i, "\n");
  return text;
}

// What patch(1) would make of `before`.
std::string Patched(const std::string& before, const std::string& diff) {
  const std::vector<std::string> old = absl::StrSplit(before, '\n', absl::SkipEmpty());
  const std::vector<std::string> lines = absl::StrSplit(diff, '\n', absl::SkipEmpty());
  std::string text;
  size_t at = 0;
  for (size_t i = 2; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    int first = 0;
    int count = 0;
    if (sscanf(line.c_str(), "@@ -%d,%d", &first, &count) == 2) {
      const size_t start = static_cast<size_t>(count == 0 ? first : first - 1);
      for (; at < start; ++at) absl::StrAppend(&text, old[at], "\n");
      continue;
    }
    if (line[0] == '+') {
      absl::StrAppend(&text, line.substr(1), "\n");
      continue;
    }
    EXPECT_EQ(line.substr(1), old.at(at));
    if (line[0] == ' ') absl::StrAppend(&text, old[at], "\n");
    ++at;
  }
  for (; at < old.size(); ++at) absl::StrAppend(&text, old[at], "\n");
  return text;
}

TEST(LineDiff, EqualTextsDoNotDiffer) {
  EXPECT_EQ(UnifiedDiff("a\n", "a\n", "x", "y"), "");
  EXPECT_EQ(UnifiedDiff("", "", "x", "y"), "");
}

TEST(LineDiff, AChangeIsShownWithThreeLinesAround) {
  std::string after = Numbers(1, 9);
  after.replace(after.find('5'), 1, "five");
  EXPECT_EQ(UnifiedDiff(Numbers(1, 9), after, "LIVE/a", "MERGED/a"),
            "--- LIVE/a\n+++ MERGED/a\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

TEST(LineDiff, ChangesFarApartHaveTheirOwnHunks) {
  const std::string diff = UnifiedDiff(
      Numbers(1, 40), absl::StrCat("0\n", Numbers(1, 20), "x\n", Numbers(21, 39)), "a", "b");
  EXPECT_EQ(diff,
            "--- a\n+++ b\n"
            "@@ -1,3 +1,4 @@\n+0\n 1\n 2\n 3\n"
            "@@ -18,6 +19,7 @@\n 18\n 19\n 20\n+x\n 21\n 22\n 23\n"
            "@@ -37,4 +39,3 @@\n 37\n 38\n 39\n-40\n");
}

TEST(LineDiff, WhatIsNotThereIsDevNull) {
  EXPECT_EQ(UnifiedDiff("", "a\nb\n", "x", "y"), "--- /dev/null\n+++ y\n@@ -0,0 +1,2 @@\n+a\n+b\n");
  EXPECT_EQ(UnifiedDiff("a\n", "", "x", "y"), "--- x\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n");
}

TEST(LineDiff, MakesOneTextOfTheOther) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::string before;
    std::string after;
    for (unsigned i = 0; i < 5 + random() % 60; ++i) {
      const std::string line = absl::StrCat("l", random() % 9, "\n");
      if (random() % 8 != 0) before += line;
      if (random() % 8 != 0) after += line;
    }
    const std::string diff = UnifiedDiff(before, after, "a", "b");
    EXPECT_EQ(Patched(before, diff), after) << diff;
  }
}

TEST(LineDiff, TextsWithNothingInCommonAreReplaced) {
  const std::string before = Numbers(1, 3000);
  const std::string after = Numbers(10'000, 13'000);
  EXPECT_EQ(Patched(before, UnifiedDiff(before, after, "a", "b")), after);
}

}  // namespace
}  // namespace cluster::cli
