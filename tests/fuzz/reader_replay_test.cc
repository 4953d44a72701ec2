// The fuzzer's seeds, and mutations of them that are the same on every run.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/fuzz/reader_check.h"

namespace cluster {
namespace {

std::vector<std::string> Seeds() {
  const char* top = std::getenv("CLUSTER_SOURCE_DIR");
  const auto folder =
      std::filesystem::path(top == nullptr ? "." : top) / "tests/fuzz/corpus/reader";
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> seeds;
  for (const auto& file : files) seeds.push_back(ReadFile(file.string()).value());
  return seeds;
}

class Mutator {
 public:
  explicit Mutator(std::vector<std::string> seeds) : seeds_(std::move(seeds)) {}

  std::string Next() {
    std::string text = seeds_[Below(seeds_.size())];
    for (size_t i = Below(4) + 1; i > 0; --i) Mutate(&text);
    return text;
  }

 private:
  size_t Below(size_t end) { return random_() % end; }

  void Mutate(std::string* text) {
    static const std::vector<std::string> kPieces = {
        "&a ",   "*a",   "<<: ", "- ",     "? ",     ": ",  "[",
        "]",     "{",    "}",    ",",      "\"",     "'",   "|\n",
        ">",     "\n",   "#",    "!",      "!!str ", "%",   "---\n",
        "...\n", "\t",   " ",    "\\",     "\\N",    "~",   "0x",
        "\xff",  "\x04", "\r",   "\u2028", "null",   "1e9", "kind: List\nitems:\n"};
    const size_t at = Below(text->size() + 1);
    const size_t length = std::min(Below(16), text->size() - at);
    switch (Below(5)) {
      case 0:
        text->insert(at, kPieces[Below(kPieces.size())]);
        break;
      case 1:
        text->erase(at, length);
        break;
      case 2:
        text->insert(Below(text->size() + 1), text->substr(at, length));
        break;
      case 3:
        if (at < text->size()) (*text)[at] = static_cast<char>(Below(256));
        break;
      default: {
        const std::string& other = seeds_[Below(seeds_.size())];
        text->replace(at, text->npos, other, Below(other.size() + 1), std::string::npos);
      }
    }
  }

  std::vector<std::string> seeds_;
  std::mt19937 random_{20260731};
};

TEST(ReaderReplay, SeedsHaveNoFlaw) {
  const auto seeds = Seeds();
  ASSERT_GE(seeds.size(), 8u);
  for (const std::string& seed : seeds) EXPECT_EQ(FindReaderFlaw(seed), "") << seed;
}

TEST(ReaderReplay, MutationsHaveNoFlaw) {
  Mutator mutator(Seeds());
  for (int i = 0; i < 6000; ++i) {
    const std::string text = mutator.Next();
    ASSERT_EQ(FindReaderFlaw(text), "") << "mutation " << i << ":\n" << text;
  }
}

}  // namespace
}  // namespace cluster
