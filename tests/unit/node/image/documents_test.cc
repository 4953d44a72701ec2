#include "node/image/documents.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "node/image/stored_image.h"

namespace cluster::node {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const std::string kDigest = "sha256:" + std::string(64, 'a');

std::string Ref(const std::string& more = "") {
  return absl::StrCat(R"({"digest":")", kDigest, R"(","size":7)", more, "}");
}

TEST(ParseIndex, ReadsPlatformsAndNames) {
  const auto refs = ParseIndex(absl::StrCat(
      R"({"manifests":[)", Ref(R"(,"mediaType":"application/vnd.oci.image.index.v1+json",
            "platform":{"os":"linux","architecture":"arm64","variant":"v8"},
            "annotations":{"org.opencontainers.image.ref.name":"v1",
                           "io.containerd.image.name":"docker.io/library/web:v1"})"),
      ",", Ref(R"(,"annotations":{"vnd.docker.reference.type":"attestation-manifest"})"), "]}"));
  ASSERT_TRUE(refs.ok()) << refs.status();
  ASSERT_THAT(*refs, SizeIs(2));
  EXPECT_TRUE(IsIndex(refs->front()));
  EXPECT_EQ(refs->front().size, 7);
  EXPECT_EQ(refs->front().architecture, "arm64");
  EXPECT_EQ(refs->front().ref_name, "v1");
  EXPECT_EQ(refs->front().containerd_name, "docker.io/library/web:v1");
  EXPECT_FALSE(refs->front().attestation);
  EXPECT_TRUE(refs->back().attestation);
}

TEST(ParseIndex, RefusesWhatIsMalformed) {
  for (const std::string& json :
       {std::string(), std::string("null"), std::string("[]"), std::string("{}"),
        std::string(R"({"manifests":{}})"), std::string(R"({"manifests":[1]})"),
        std::string(R"({"manifests":[{"size":1}]})"),
        absl::StrCat(R"({"manifests":[{"digest":")", kDigest, R"("}]})"),
        absl::StrCat(R"({"manifests":[{"digest":")", kDigest, R"(","size":-1}]})"),
        absl::StrCat(R"({"manifests":[{"digest":")", kDigest, R"(","size":"7"}]})"),
        absl::StrCat(R"({"manifests":[)", Ref(), "]} trailing"), std::string(100'000, '['),
        std::string("{\"manifests\":\xff\xfe}")}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseIndex(json).status())) << json.substr(0, 60);
  }
}

TEST(ParseIndex, BoundsTheNumberOfManifests) {
  std::string json = R"({"manifests":[)";
  for (int i = 0; i < 1001; ++i) absl::StrAppend(&json, i == 0 ? "" : ",", Ref());
  EXPECT_TRUE(absl::IsInvalidArgument(ParseIndex(json + "]}").status()));
}

TEST(ParseManifest, ReadsConfigAndLayersInOrder) {
  const std::string other = "sha256:" + std::string(64, 'b');
  const auto manifest = ParseManifest(absl::StrCat(
      R"({"config":)", Ref(), R"(,"layers":[{"digest":")", other, R"(","size":1},)", Ref(), "]}"));
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->config.digest, kDigest);
  ASSERT_THAT(manifest->layers, SizeIs(2));
  EXPECT_EQ(manifest->layers[0].digest, other);
  EXPECT_TRUE(absl::IsInvalidArgument(ParseManifest(R"({"layers":[]})").status()));
  EXPECT_TRUE(
      absl::IsInvalidArgument(ParseManifest(absl::StrCat(R"({"config":)", Ref(), "}")).status()));
}

TEST(ParseConfig, ReadsWhatAContainerNeeds) {
  const auto config = ParseConfig(absl::StrCat(
      R"({"os":"linux","architecture":"amd64","created":"1970-01-01T00:00:05Z",
          "config":{"Entrypoint":["a"],"Cmd":["b","c"],"Env":["X=1"],"WorkingDir":"/w",
                    "User":"u","StopSignal":"9","Labels":{"k":"v"},"Healthcheck":{"Test":[]}},
          "history":[{"empty_layer":true}],"rootfs":{"type":"layers","diff_ids":[")",
      kDigest, R"("]}})"));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->config.entrypoint, ElementsAre("a"));
  EXPECT_THAT(config->config.cmd, ElementsAre("b", "c"));
  EXPECT_THAT(config->config.env, ElementsAre("X=1"));
  EXPECT_EQ(config->config.user, "u");
  EXPECT_EQ(config->config.stop_signal, "9");
  EXPECT_EQ(config->created_unix_seconds, 5);
  EXPECT_THAT(config->diff_ids, ElementsAre(kDigest));
}

TEST(ParseConfig, TakesNullsAndOldForms) {
  const auto config = ParseConfig(
      R"({"config":{"Entrypoint":null,"Cmd":"sh","Env":null,"Labels":null},
          "rootfs":{"diff_ids":[]}})");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->config.entrypoint, IsEmpty());
  EXPECT_THAT(config->config.cmd, ElementsAre("sh"));
  EXPECT_TRUE(ParseConfig(R"({"config":null,"rootfs":{"diff_ids":[]}})").ok());
  EXPECT_TRUE(ParseConfig(R"({"rootfs":{"diff_ids":[]}})").ok());
}

TEST(ParseConfig, RefusesBadLayers) {
  EXPECT_TRUE(absl::IsInvalidArgument(ParseConfig("{}").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ParseConfig(R"({"rootfs":[]})").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ParseConfig(R"({"rootfs":{"diff_ids":["../x"]}})").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ParseConfig(R"({"rootfs":{"diff_ids":[7]}})").status()));
  std::string many = R"({"rootfs":{"diff_ids":[)";
  for (size_t i = 0; i <= kMaxLayers; ++i) {
    absl::StrAppend(&many, i == 0 ? "" : ",", "\"", kDigest, "\"");
  }
  EXPECT_TRUE(absl::IsInvalidArgument(ParseConfig(many + "]}}").status()));
}

TEST(ParseSavedImages, ReadsDockersManifest) {
  const auto images =
      ParseSavedImages(R"([{"Config":"c.json","RepoTags":["a:1","b:2"],"Layers":["x","y"]},
                           {"Config":"d.json","RepoTags":null,"Layers":[]}])");
  ASSERT_TRUE(images.ok()) << images.status();
  ASSERT_THAT(*images, SizeIs(2));
  EXPECT_THAT(images->front().names, ElementsAre("a:1", "b:2"));
  EXPECT_THAT(images->front().layer_paths, ElementsAre("x", "y"));
  EXPECT_THAT(images->back().names, IsEmpty());
  EXPECT_TRUE(absl::IsInvalidArgument(ParseSavedImages("{}").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ParseSavedImages("[{}]").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ParseSavedImages("[1]").status()));
}

TEST(ParseRepositories, ReadsNamesAndRefusesBadIds) {
  const std::string id(64, 'c');
  const auto names = ParseRepositories(absl::StrCat(R"({"web":{"1":")", id, R"("}})"));
  ASSERT_TRUE(names.ok()) << names.status();
  EXPECT_EQ(names->front().name, "web:1");
  EXPECT_EQ(names->front().id, id);
  EXPECT_TRUE(absl::IsInvalidArgument(ParseRepositories(R"({"web":{"1":"../x"}})").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ParseRepositories(R"({"web":1})").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ParseLegacyLayer(R"({"parent":"../../x"})").status()));
}

TEST(StoredImage, ComesBackAsItWasWritten) {
  StoredImage image;
  image.digest = kDigest;
  image.names = {"web:1", "web:latest"};
  image.config.entrypoint = {"/bin/x", "a \"b\"\n"};
  image.config.env = {"A=1"};
  image.config.user = "1:2";
  image.config.labels = {{"k", "v"}};
  image.layers = {{kDigest, 42}};
  image.created_unix_seconds = 7;
  const auto again = ParseStoredImage(PrintStoredImage(image));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(PrintStoredImage(*again), PrintStoredImage(image));
  EXPECT_EQ(again->config.entrypoint, image.config.entrypoint);
}

TEST(StoredImage, AnyCutIsNoticed) {
  StoredImage image;
  image.digest = kDigest;
  const std::string whole = PrintStoredImage(image);
  for (size_t size = 0; size + 2 < whole.size(); ++size) {
    EXPECT_TRUE(absl::IsDataLoss(ParseStoredImage(whole.substr(0, size)).status())) << size;
  }
  EXPECT_TRUE(absl::IsDataLoss(ParseStoredImage("{}").status()));
}

}  // namespace
}  // namespace cluster::node
