#include "node/image/image_plan.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "node/image/digest.h"

namespace cluster::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class OnePiece : public ByteStream {
 public:
  explicit OnePiece(std::string content) : content_(std::move(content)) {}
  absl::StatusOr<absl::string_view> Next() override {
    const absl::string_view piece = given_ ? "" : absl::string_view(content_);
    given_ = true;
    return piece;
  }

 private:
  const std::string content_;
  bool given_ = false;
};

class MapSource : public ImageSource {
 public:
  bool Has(const std::string& member) const override { return members.count(member) != 0; }
  absl::StatusOr<std::unique_ptr<ByteStream>> Stream(const std::string& member) const override {
    const auto found = members.find(member);
    if (found == members.end()) return absl::NotFoundError("its member " + member + " is missing");
    return std::make_unique<OnePiece>(found->second);
  }
  std::string Blob(const std::string& content, const std::string& more = "") {
    const std::string digest = Sha256Of(content);
    members["blobs/sha256/" + HexOf(digest)] = content;
    return absl::StrCat(R"({"digest":")", digest, R"(","size":)", content.size(), more, "}");
  }
  // A descriptor of an image with this one layer.
  std::string Image(const std::string& layer, const std::string& more = "",
                    const std::string& architecture = std::string(NodeArchitecture())) {
    const std::string config =
        Blob(absl::StrCat(R"({"os":"linux","architecture":")", architecture,
                          R"(","rootfs":{"diff_ids":[")", Sha256Of(layer), R"("]}})"));
    return Blob(absl::StrCat(R"({"config":)", config, R"(,"layers":[)", Blob(layer), "]}"), more);
  }
  void Index(const std::string& refs) {
    members["index.json"] = absl::StrCat(R"({"manifests":[)", refs, "]}");
  }
  std::map<std::string, std::string> members;
};

std::string Named(const std::string& name) {
  return absl::StrCat(R"(,"annotations":{"org.opencontainers.image.ref.name":")", name, R"("})");
}

TEST(PlanImages, OneImageUnderTwoNamesIsOneImage) {
  MapSource source;
  source.Index(source.Image("x", Named("web:1")) + "," + source.Image("x", Named("web:2")));
  const auto images = PlanImages(source, "", {});
  ASSERT_TRUE(images.ok()) << images.status();
  ASSERT_THAT(*images, SizeIs(1));
  EXPECT_THAT(images->front().names, ElementsAre("web:1", "web:2"));
  EXPECT_EQ(images->front().layers.at(0).diff_id, Sha256Of("x"));
}

TEST(PlanImages, SeveralImagesAreAllTaken) {
  MapSource source;
  source.Index(source.Image("x", Named("a:1")) + "," + source.Image("y", Named("b:1")));
  EXPECT_THAT(*PlanImages(source, "", {}), SizeIs(2));
}

TEST(PlanImages, AFlatIndexOfPlatformsGivesOursAlone) {
  MapSource source;
  source.Index(source.Image("x", R"(,"platform":{"os":"linux","architecture":"mips64"})") + "," +
               source.Image("y", absl::StrCat(R"(,"platform":{"os":"linux","architecture":")",
                                              NodeArchitecture(), R"("})")));
  const auto images = PlanImages(source, "web:1", {});
  ASSERT_TRUE(images.ok()) << images.status();
  ASSERT_THAT(*images, SizeIs(1));
  EXPECT_EQ(images->front().layers.at(0).diff_id, Sha256Of("y"));
}

TEST(PlanImages, SaysWhichPlatformsThereAre) {
  MapSource source;
  source.Index(source.Image("x", R"(,"platform":{"os":"linux","architecture":"mips64"})"));
  const absl::Status status = PlanImages(source, "web:1", {}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("linux/mips64"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(NodeArchitecture())));
}

TEST(PlanImages, TheConfigsPlatformCountsToo) {
  MapSource source;
  source.Index(source.Image("x", "", "mips64"));
  EXPECT_TRUE(absl::IsInvalidArgument(PlanImages(source, "web:1", {}).status()));
}

TEST(PlanImages, AMissingBlobIsTheArchivesFault) {
  MapSource source;
  source.Index(source.Image("x"));
  for (auto it = source.members.begin(); it != source.members.end(); ++it) {
    if (it->second.find("layers") == std::string::npos || it->first == "index.json") continue;
    source.members.erase(it);
    break;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(PlanImages(source, "web:1", {}).status()));
}

}  // namespace
}  // namespace cluster::node
