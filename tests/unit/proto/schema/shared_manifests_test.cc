// Real manifests of public projects, where they lie beside the tree: each is read, or refused only
// for what is not supported yet.
#include "tests/domain/shared_manifests.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "proto/schema/reader.h"

namespace cluster {
namespace {

std::vector<std::filesystem::path> Manifests() {
  const auto folder = domain::SharedManifests();
  std::vector<std::filesystem::path> files;
  if (folder.empty()) return files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(SharedManifests, AreReadOrRefusedOnlyForWhatIsNotThereYet) {
  const auto files = Manifests();
  if (files.empty()) GTEST_SKIP() << domain::kNoSharedManifests;
  size_t documents = 0;
  for (const auto& path : files) {
    const auto text = ReadFile(path.string());
    ASSERT_TRUE(text.ok()) << text.status();
    const ReadResult result = ReadManifests(*text, path.filename().string());
    documents += result.documents.size();
    for (const ReadError& error : result.errors) {
      EXPECT_TRUE(absl::StartsWith(error.message, "not supported yet: ")) << error.ToString();
      EXPECT_GT(error.at.line, 0) << error.ToString();
    }
    EXPECT_FALSE(result.errors.empty() && result.documents.empty()) << path;
  }
  EXPECT_GT(documents, 0u);
}

TEST(SharedManifests, PodinfosProbesAreRead) {
  for (const auto& path : Manifests()) {
    if (path.filename() != "podinfo-deployment.yaml") continue;
    const ReadResult result = ReadManifests(ReadFile(path.string()).value(), "podinfo.yaml");
    for (const ReadError& error : result.errors) {
      EXPECT_THAT(error.ToString(), testing::Not(testing::HasSubstr("Probe")));
    }
    return;
  }
  GTEST_SKIP() << "no podinfo-deployment.yaml in ../shared/manifests";
}

}  // namespace
}  // namespace cluster
