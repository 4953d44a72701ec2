// The fuzzer's seeds, and mutations of them that are the same on every run.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/fuzz/seccomp/profile_check.h"

namespace cluster::node {
namespace {

std::vector<std::string> Seeds() {
  const char* top = std::getenv("CLUSTER_SOURCE_DIR");
  const auto folder =
      std::filesystem::path(top == nullptr ? "." : top) / "tests/fuzz/seccomp/corpus";
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> seeds;
  for (const auto& file : files) seeds.push_back(ReadFile(file.string()).value());
  return seeds;
}

std::string Mutated(const std::vector<std::string>& seeds, std::mt19937* random) {
  static const std::vector<std::string> kPieces = {"\"",
                                                   "{",
                                                   "}",
                                                   "[",
                                                   "]",
                                                   ",",
                                                   ":",
                                                   "null",
                                                   "-1",
                                                   "1e3",
                                                   "18446744073709551616",
                                                   "\\u0000",
                                                   "\"SCMP_ACT_ALLOW\"",
                                                   "\"SCMP_ACT_KILL\"",
                                                   "\"SCMP_CMP_LE\"",
                                                   "\"SCMP_CMP_GT\"",
                                                   "\"clone\"",
                                                   "\"socket\"",
                                                   "\"open\"",
                                                   "4294967296",
                                                   "\"excludes\":",
                                                   "true",
                                                   "\xff"};
  const auto below = [random](size_t end) { return (*random)() % end; };
  std::string text = seeds[below(seeds.size())];
  for (size_t i = below(4) + 1; i > 0; --i) {
    const size_t at = below(text.size() + 1);
    const size_t length = std::min(below(16), text.size() - at);
    switch (below(4)) {
      case 0:
        text.insert(at, kPieces[below(kPieces.size())]);
        break;
      case 1:
        text.replace(at, length, kPieces[below(kPieces.size())]);
        break;
      case 2:
        text.erase(at, length);
        break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(below(256));
    }
  }
  return text;
}

TEST(ProfileReplay, SeedsHaveNoFlaw) {
  const auto seeds = Seeds();
  ASSERT_GE(seeds.size(), 4u);
  for (const std::string& seed : seeds) EXPECT_EQ(FindProfileFlaw(seed), "") << seed;
}

TEST(ProfileReplay, MutationsHaveNoFlaw) {
  const auto seeds = Seeds();
  std::mt19937 random(20261129);
  for (int i = 0; i < 4000; ++i) {
    const std::string text = Mutated(seeds, &random);
    ASSERT_EQ(FindProfileFlaw(text), "") << "mutation " << i << ":\n" << text;
  }
}

}  // namespace
}  // namespace cluster::node
