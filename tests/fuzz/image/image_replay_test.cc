// The fuzzer's seeds, and mutations of them that are the same on every run.
#include <random>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "node/image/stored_image.h"
#include "tests/fuzz/image/image_check.h"
#include "tests/root/node/image/archives.h"

namespace cluster::node {
namespace {

std::string Input(ImageInput kind, const std::string& content) {
  return static_cast<char>(kind) + content;
}

std::vector<std::string> Seeds() {
  Tar::Entry rich;
  rich.mode = 04755;
  rich.xattrs = {{"user.a", "1"}, {"trusted.overlay.opaque", "y"}};
  ImageDraft draft;
  draft.layers = {{Tar()
                       .Dir("d")
                       .File("d/file", "content", rich)
                       .Symlink("link", "d")
                       .File("link/through", "x")
                       .Symlink("out", "../../canary")
                       .HardLink("hard", "d/file")
                       .Bytes()},
                  {Tar().File("d/.wh.file", "").File(".wh.hard", "").Dir("e").Bytes()},
                  {Tar().File("e/.wh..wh..opq", "").Special("pipe", AE_IFIFO).Bytes()},
                  {Tar().File(std::string(150, 'n'), "long").Sparse("hole", 4096).Bytes()}};
  StoredImage record;
  record.digest = "sha256:" + std::string(64, 'a');
  record.names = {"web:1"};
  record.layers = {{record.digest, 1}};
  const Members oci = OciLayout(draft);
  const Members docker = DockerArchive(draft);
  const std::string id(64, 'c');
  std::vector<std::string> seeds = {
      Input(ImageInput::kIndex, oci.at("index.json")),
      Input(ImageInput::kConfig, ConfigOf(draft)),
      Input(ImageInput::kSavedImages, docker.at("manifest.json")),
      Input(ImageInput::kRepositories, absl::StrCat(R"({"web":{"1":")", id, R"("}})")),
      Input(ImageInput::kRepositories, absl::StrCat(R"({"parent":")", id, R"(","config":{}})")),
      Input(ImageInput::kStoredImage, PrintStoredImage(record))};
  for (const auto& [path, content] : oci) {
    if (absl::StrContains(content, "\"layers\":")) {
      seeds.push_back(Input(ImageInput::kManifest, content));
    }
  }
  for (const Layer& layer : draft.layers) seeds.push_back(Input(ImageInput::kLayer, layer.tar));
  return seeds;
}

class Mutator {
 public:
  explicit Mutator(std::vector<std::string> seeds) : seeds_(std::move(seeds)) {}

  std::string Next() {
    std::string input = seeds_[Below(seeds_.size())];
    for (size_t i = Below(4) + 1; i > 0; --i) Mutate(&input);
    return input;
  }

 private:
  size_t Below(size_t end) { return random_() % end; }

  void Mutate(std::string* input) {
    static const std::vector<std::string> kPieces = {"..",
                                                     "/",
                                                     "../",
                                                     "canary",
                                                     "/tmp",
                                                     std::string(1, '\0'),
                                                     ".wh.",
                                                     "\xff",
                                                     "77777777",
                                                     "00000000",
                                                     "\"",
                                                     "{",
                                                     "[",
                                                     "null",
                                                     "-1",
                                                     "1e99",
                                                     "3",
                                                     "4",
                                                     ".wh..wh..opq",
                                                     "./",
                                                     "//",
                                                     "d/file",
                                                     "link",
                                                     "sha256:"};
    const size_t at = 1 + Below(input->size());
    const size_t length = std::min(Below(40), input->size() - at);
    const std::string& piece = kPieces[Below(kPieces.size())];
    switch (Below(6)) {
      case 0:  // keeps the blocks of a tar where they are
      case 1:
        if (at + piece.size() <= input->size()) input->replace(at, piece.size(), piece);
        break;
      case 2:
        input->erase(at, length);
        break;
      case 3:
        input->insert(at, piece);
        break;
      case 4:
        if (at < input->size()) (*input)[at] = static_cast<char>(Below(256));
        break;
      default:
        if (input->size() > 1024) {
          const size_t block = 1 + 512 * Below(input->size() / 512);
          input->insert(1, input->substr(block, 512));
        }
    }
  }

  std::vector<std::string> seeds_;
  std::mt19937 random_{20240229};
};

TEST(ImageReplay, SeedsHaveNoFlaw) {
  for (const std::string& seed : Seeds()) EXPECT_EQ(FindImageFlaw(seed), "");
}

TEST(ImageReplay, MutationsHaveNoFlaw) {
  Mutator mutator(Seeds());
  for (int i = 0; i < 8000; ++i) {
    const std::string input = mutator.Next();
    ASSERT_EQ(FindImageFlaw(input), "") << "mutation " << i << " of kind " << int{input[0]};
  }
}

}  // namespace
}  // namespace cluster::node

// With --write-seeds=FOLDER the seeds are written there for the fuzzer.
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const std::string flag = "--write-seeds=";
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind(flag, 0) != 0) continue;
    int number = 0;
    for (const std::string& seed : cluster::node::Seeds()) {
      const std::string path = argument.substr(flag.size()) + "/seed" + std::to_string(number++);
      if (!cluster::WriteFileDurably(path, seed, 0644).ok()) return 1;
    }
    return 0;
  }
  return RUN_ALL_TESTS();
}
