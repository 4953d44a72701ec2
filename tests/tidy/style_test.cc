// The house's hard limits: sizes, directions between rooms, and calls that have a better
// replacement.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

namespace fs = std::filesystem;

struct Source {
  std::string path;  // from the top of the tree
  std::vector<std::string> lines;
};

std::vector<Source> ReadSources() {
  std::vector<Source> sources;
  const fs::path top = std::getenv("CLUSTER_SOURCE_DIR");
  for (const char* room : {"base", "proto", "controller", "node", "cli", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator(top / room)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".cc" && extension != ".h" && extension != ".c") continue;
      Source source{fs::relative(entry.path(), top).string(), {}};
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) source.lines.push_back(line);
      sources.push_back(std::move(source));
    }
  }
  return sources;
}

const std::vector<Source>& Sources() {
  static const auto* const sources = new std::vector<Source>(ReadSources());
  return *sources;
}

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}
bool StartsWith(const std::string& text, const std::string& start) {
  return text.rfind(start, 0) == 0;
}

std::string At(const Source& source, size_t line) {
  return source.path + ":" + std::to_string(line + 1);
}

TEST(Style, SeesTheTree) { EXPECT_GT(Sources().size(), 50u); }

TEST(Style, FilesStaySmall) {
  for (const Source& source : Sources()) {
    const size_t limit = EndsWith(source.path, ".h") ? 250 : 600;
    EXPECT_LE(source.lines.size(), limit) << source.path << ": split it by meaning";
  }
}

// clang-format puts a function's closing brace in the first column and its body further in.
TEST(Style, FunctionsStayShort) {
  for (const Source& source : Sources()) {
    size_t start = 0;
    for (size_t i = 0; i < source.lines.size(); ++i) {
      const std::string& line = source.lines[i];
      const bool opens = !line.empty() && line[0] != ' ' && line[0] != '}' && EndsWith(line, "{");
      if (opens && !StartsWith(line, "namespace") && !StartsWith(line, "extern")) start = i;
      if (StartsWith(line, "}") && !StartsWith(line, "}  // namespace") && start > 0) {
        const bool is_type = std::regex_search(
            source.lines[start],
            std::regex("^(class|struct|enum|union|TEST|constexpr|const|static const|template)"));
        if (!is_type) {
          EXPECT_LE(i - start + 1, 70u) << At(source, start) << ": say its steps as functions";
        }
        start = 0;
      }
    }
  }
}

TEST(Style, RoomsPointOneWay) {
  const std::map<std::string, std::vector<std::string>> forbidden = {
      {"base/", {"proto/", "cluster/v1/", "controller/", "node/", "cli/"}},
      {"proto/", {"controller/", "node/", "cli/"}},
      {"controller/", {"node/", "cli/"}},
      {"node/", {"controller/", "cli/"}},
      {"cli/", {"controller/", "node/"}}};
  const std::vector<std::string> pure = {"controller/scheduler/", "controller/reconcile/"};
  const std::regex include("^#include [\"<]([^\">]+)[\">]");
  for (const Source& source : Sources()) {
    for (size_t i = 0; i < source.lines.size(); ++i) {
      std::smatch match;
      if (!std::regex_search(source.lines[i], match, include)) continue;
      const std::string included = match[1];
      for (const auto& [room, others] : forbidden) {
        if (!StartsWith(source.path, room)) continue;
        for (const std::string& other : others) {
          EXPECT_FALSE(StartsWith(included, other))
              << At(source, i) << ": " << room << " knows nothing of " << other;
        }
      }
      for (const std::string& room : pure) {
        if (!StartsWith(source.path, room)) continue;
        for (const char* impure :
             {"grpcpp/", "base/log.h", "base/mutex.h", "thread", "unistd.h", "sys/"}) {
          EXPECT_FALSE(StartsWith(included, impure)) << At(source, i) << ": " << room << " is pure";
        }
      }
    }
  }
}

TEST(Style, BannedCallsHaveAReplacement) {
  struct Ban {
    std::regex call;
    std::string instead;
    std::vector<std::string> allowed;  // path prefixes
  };
  const std::vector<Ban> bans = {
      {std::regex("\\b(std::)?(system|popen)\\("), "speak to the kernel", {}},
      {std::regex("\\b(sleep_for|usleep|SleepFor)\\("), "wait on a condition with a deadline", {}},
      {std::regex("\\bstd::mutex\\b"), "base/mutex.h", {"base/mutex.h"}},
      {std::regex("\\babsl::Mutex\\b"), "base/mutex.h", {"base/mutex.h"}},
      {std::regex("\\busing namespace\\b"), "names", {}},
      {std::regex("\\b(sprintf|strcpy|strcat|gets)\\("), "absl::StrCat", {}},
      {std::regex("^#include <iostream>"),
       "an ostream handed in, or base/log.h",
       {"cli/main.cc", "controller/server/", "node/agent/", "tests/"}},
      {std::regex("\\bDISABLED_"), "a test that runs", {"tests/tidy/"}},
      {std::regex("\\b(TODO|FIXME|XXX)\\b"), "an issue, or the thing itself", {"tests/tidy/"}}};
  for (const Source& source : Sources()) {
    if (source.path == "tests/tidy/style_test.cc") continue;
    for (size_t i = 0; i < source.lines.size(); ++i) {
      for (const Ban& ban : bans) {
        bool allowed = false;
        for (const std::string& path : ban.allowed)
          allowed = allowed || StartsWith(source.path, path);
        if (allowed) continue;
        EXPECT_FALSE(std::regex_search(source.lines[i], ban.call))
            << At(source, i) << ": instead use " << ban.instead;
      }
    }
  }
}

// clang-tidy says so only of a source that it looks at by itself.
TEST(Style, UsingDeclarationsAreUsed) {
  const std::regex declaration("^using (?:\\w+::)+(\\w+);$");
  for (const Source& source : Sources()) {
    if (!EndsWith(source.path, ".cc")) continue;
    for (size_t i = 0; i < source.lines.size(); ++i) {
      std::smatch match;
      if (!std::regex_search(source.lines[i], match, declaration)) continue;
      const std::regex name("\\b" + match[1].str() + "\\b");
      bool used = false;
      for (size_t j = 0; j < source.lines.size() && !used; ++j) {
        const std::string code = source.lines[j].substr(0, source.lines[j].find("//"));
        used = j != i && std::regex_search(code, name);
      }
      EXPECT_TRUE(used) << At(source, i) << ": nothing here uses it";
    }
  }
}

// No class named for what it is not, no room named for leftovers.
TEST(Style, NamesSayWhatAThingIs) {
  const std::regex vague("^\\s*(class|struct) \\w*(Manager|Helper|Util|Info|Impl)\\b");
  for (const Source& source : Sources()) {
    EXPECT_FALSE(
        std::regex_search(source.path, std::regex("(^|/)(util|utils|common|helpers|misc)(/|\\.)")))
        << source.path;
    for (size_t i = 0; i < source.lines.size(); ++i) {
      EXPECT_FALSE(std::regex_search(source.lines[i], vague)) << At(source, i);
    }
  }
}

}  // namespace
