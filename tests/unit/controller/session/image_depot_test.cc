#include "controller/session/image_depot.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace cluster::controller {
namespace {

class Depot : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = (std::filesystem::temp_directory_path() / "depot-XXXXXX").string();
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::unique_ptr<ImageDepot> Open(const std::set<std::string>& known = {}) {
    auto depot = ImageDepot::Open(directory_, known);
    EXPECT_TRUE(depot.ok()) << depot.status();
    return std::move(depot).value();
  }
  size_t Files() const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_)) {
      count += entry.is_regular_file() ? 1 : 0;
    }
    return count;
  }

  std::string directory_;
};

// sha256 of "abc".
constexpr char kAbc[] = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST_F(Depot, AnArchiveIsKeptUnderTheHashOfItsBytes) {
  const auto depot = Open();
  auto upload = *depot->Begin();
  ASSERT_TRUE(upload->Append("a").ok());
  ASSERT_TRUE(upload->Append("bc").ok());
  const auto id = upload->Finish();
  ASSERT_TRUE(id.ok());
  EXPECT_EQ(*id, kAbc);
  const auto file = depot->Read(*id);
  ASSERT_TRUE(file.ok());
  char bytes[8] = "";
  EXPECT_EQ(read(file->get(), bytes, sizeof(bytes)), 3);
  EXPECT_STREQ(bytes, "abc");
}

TEST_F(Depot, AnUploadThatIsGivenUpLeavesNothing) {
  const auto depot = Open();
  {
    auto upload = *depot->Begin();
    ASSERT_TRUE(upload->Append("abc").ok());
    EXPECT_EQ(Files(), 1u);
  }
  EXPECT_EQ(Files(), 0u);
}

TEST_F(Depot, WhatIsNotKnownIsSweptAtTheStart) {
  {
    const auto depot = Open();
    auto upload = *depot->Begin();
    ASSERT_TRUE(upload->Append("abc").ok());
    ASSERT_TRUE(upload->Finish().ok());
    std::ofstream(directory_ + "/tmp/cut-off") << "half";
  }
  EXPECT_TRUE(Open({kAbc})->Read(kAbc).ok());
  EXPECT_EQ(Files(), 1u);
  EXPECT_EQ(Open()->Read(kAbc).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Files(), 0u);
}

TEST_F(Depot, OnlyIdsAreRead) {
  const auto depot = Open();
  for (const char* id :
       {"", "sha256:", "../../etc/passwd", "sha256:../../../../etc/passwd",
        "sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"}) {
    EXPECT_EQ(depot->Read(id).status().code(), absl::StatusCode::kInvalidArgument) << id;
  }
}

}  // namespace
}  // namespace cluster::controller
