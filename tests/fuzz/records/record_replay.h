// The seeds of a fuzzer, and mutations of them that are the same on every run, as tests of whatever
// program instantiates RecordReplay.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

#include "base/file.h"

namespace cluster {

struct Corpus {
  const char* folder;
  std::string (*find_flaw)(absl::string_view);
};

class RecordReplay : public ::testing::TestWithParam<Corpus> {
 protected:
  void SetUp() override {
    const char* top = std::getenv("CLUSTER_SOURCE_DIR");
    const auto folder = std::filesystem::path(top == nullptr ? "." : top) /
                        "tests/fuzz/records/corpus" / GetParam().folder;
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files) seeds_.push_back(ReadFile(file.string()).value());
    ASSERT_FALSE(seeds_.empty());
  }
  std::string Mutated(std::mt19937* random) const {
    static const std::vector<std::string> kPieces = {
        "\"", "{",      "}",    "[",     "]",    ",", ":",  "null",    "-1",
        "0",  "1e3",    "true", "false", "\n",   " ", "\t", "\\u0000", "18446744073709551616",
        "F",  "stdout", "P",    "\xff",  "1.5e9"};
    const auto below = [random](size_t end) { return (*random)() % end; };
    std::string text = seeds_[below(seeds_.size())];
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

  std::vector<std::string> seeds_;
};

TEST_P(RecordReplay, SeedsHaveNoFlaw) {
  for (const std::string& seed : seeds_) EXPECT_EQ(GetParam().find_flaw(seed), "") << seed;
}

TEST_P(RecordReplay, MutationsHaveNoFlaw) {
  std::mt19937 random(20261129);
  for (int i = 0; i < 4000; ++i) {
    const std::string text = Mutated(&random);
    ASSERT_EQ(GetParam().find_flaw(text), "") << "mutation " << i << ":\n" << text;
  }
}

}  // namespace cluster
