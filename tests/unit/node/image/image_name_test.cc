#include "gtest/gtest.h"

#include "node/image/digest.h"
#include "node/image/image_store.h"

namespace cluster::node {
namespace {

std::string Normalized(const std::string& name) {
  const auto normalized = NormalizeImageName(name);
  return normalized.ok() ? *normalized : "refused";
}

const std::string kSha256 =
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(NormalizeImageName, AddsTheTagAndLeavesOutDockersOwnParts) {
  EXPECT_EQ(Normalized("nginx"), "nginx:latest");
  EXPECT_EQ(Normalized("nginx:1"), "nginx:1");
  EXPECT_EQ(Normalized("library/nginx:1"), "nginx:1");
  EXPECT_EQ(Normalized("docker.io/library/nginx:1"), "nginx:1");
  EXPECT_EQ(Normalized("docker.io/nginx:1"), "nginx:1");
  EXPECT_EQ(Normalized("index.docker.io/library/nginx"), "nginx:latest");
  EXPECT_EQ(Normalized("docker.io/team/web"), "team/web:latest");
}

TEST(NormalizeImageName, KeepsOtherHosts) {
  EXPECT_EQ(Normalized("registry.example.com/library/web:2"), "registry.example.com/library/web:2");
  EXPECT_EQ(Normalized("localhost:5000/web"), "localhost:5000/web:latest");
  EXPECT_EQ(Normalized("localhost/web"), "localhost/web:latest");
  EXPECT_EQ(Normalized("EXAMPLE.com/web"), "EXAMPLE.com/web:latest");
}

TEST(NormalizeImageName, DigestsStay) {
  EXPECT_EQ(Normalized(kSha256), kSha256);
  EXPECT_EQ(Normalized("nginx@" + kSha256), "nginx@" + kSha256);
  EXPECT_EQ(Normalized("docker.io/library/nginx:1@" + kSha256), "nginx:1@" + kSha256);
}

TEST(NormalizeImageName, NormalizingTwiceChangesNothing) {
  for (const char* name : {"nginx", "docker.io/library/a__b/c.d-e:V1.0_x", "localhost:1/x/y"}) {
    const std::string once = Normalized(name);
    ASSERT_NE(once, "refused");
    EXPECT_EQ(Normalized(once), once);
  }
}

TEST(NormalizeImageName, RefusesWhatIsNoName) {
  for (const char* name :
       {"",       " ",          "Nginx",   "nginx:", "nginx: 1",      "nginx:-x",
        ":1",     "/nginx",     "nginx/",  "a//b",   "../etc",        "a/../b",
        "web..x", "web.",       "-web",    "a___b",  "web@sha256:12", "web@",
        "a b",    "http://x/y", "web:1:2", "web\n",  "x:99999999/",   "[::1]/x"}) {
    const auto status = NormalizeImageName(name).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << name;
  }
  EXPECT_EQ(Normalized(std::string(256, 'a')), "refused");
  EXPECT_EQ(Normalized("a:" + std::string(129, 't')), "refused");
  EXPECT_EQ(Normalized(std::string(1 << 20, 'a')), "refused");
}

TEST(Digest, KnowsItsOwnShape) {
  EXPECT_TRUE(IsSha256Digest(kSha256));
  EXPECT_EQ(Sha256Of(""), kSha256);
  EXPECT_EQ(HexOf(kSha256).size(), 64u);
  EXPECT_FALSE(IsSha256Digest(kSha256.substr(0, 70)));
  EXPECT_FALSE(IsSha256Digest(kSha256 + "0"));
  EXPECT_FALSE(IsSha256Digest("sha512:" + std::string(64, 'a')));
  EXPECT_FALSE(IsSha256Digest("sha256:" + std::string(64, 'A')));
  EXPECT_FALSE(IsSha256Digest("sha256:" + std::string(62, 'a') + "/."));
}

TEST(Sha256, PiecesGiveTheSameAsTheWhole) {
  Sha256 hash;
  hash.Add("abc");
  hash.Add("");
  hash.Add("def");
  EXPECT_EQ(hash.Digest(), Sha256Of("abcdef"));
}

}  // namespace
}  // namespace cluster::node
