#include <dirent.h>

#include "gtest/gtest.h"

#include "tests/integration/controller/support/test_cluster.h"

namespace cluster::controller {
namespace {

grpc::Status Load(TestCluster* cluster, const std::string& bytes, v1::LoadImageResponse* response) {
  grpc::ClientContext context;
  const auto writer = cluster->api()->LoadImage(&context, response);
  v1::LoadImageRequest request;
  request.mutable_header()->set_file_name("app.tar");
  request.mutable_header()->set_image_name("app:1");
  writer->Write(request);
  for (size_t at = 0; at < bytes.size(); at += 64 << 10) {
    request.set_data(bytes.substr(at, 64 << 10));
    if (!writer->Write(request)) break;
  }
  writer->WritesDone();
  return writer->Finish();
}

size_t FilesIn(const std::string& directory) {
  size_t count = 0;
  DIR* dir = opendir(directory.c_str());
  if (dir == nullptr) return 0;
  while (const dirent* entry = readdir(dir)) count += entry->d_type == DT_REG ? 1 : 0;
  closedir(dir);
  return count;
}

class Images : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(node_->Attach().ok());
    ASSERT_TRUE(cluster_.WaitForNode("node1", true));
  }
  std::vector<std::string> Names() {
    grpc::ClientContext context;
    v1::ListImagesResponse response;
    EXPECT_TRUE(cluster_.api()->ListImages(&context, {}, &response).ok());
    std::vector<std::string> names;
    for (const v1::Image& image : response.images()) {
      names.insert(names.end(), image.names().begin(), image.names().end());
    }
    return names;
  }

  TestCluster cluster_{Backend::kSqlite};
  std::unique_ptr<FakeNode> node_ = cluster_.MakeNode("node1");
  const std::string archive_ = std::string(1 << 20, 'x') + "end";
};

TEST_F(Images, AnArchiveReachesEveryNodeBeforeTheLoadReturns) {
  auto second = cluster_.MakeNode("node2");
  ASSERT_TRUE(second->Attach().ok());
  ASSERT_TRUE(cluster_.WaitForNode("node2", true));
  v1::LoadImageResponse response;
  const grpc::Status status = Load(&cluster_, archive_, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.nodes_size(), 2);
  ASSERT_EQ(response.images_size(), 1);
  EXPECT_EQ(response.images(0).size_bytes(), static_cast<int64_t>(archive_.size()));
  EXPECT_EQ(Names(), std::vector<std::string>{"app:1"});
  // The same again is answered at once.
  EXPECT_TRUE(Load(&cluster_, archive_, &response).ok());
}

TEST_F(Images, ANodeThatJoinsLaterGetsThemToo) {
  v1::LoadImageResponse response;
  ASSERT_TRUE(Load(&cluster_, archive_, &response).ok());
  cluster_.Restart();
  auto second = cluster_.MakeNode("node2");
  ASSERT_TRUE(second->Attach().ok());
  EXPECT_TRUE(second->WaitFor([](const FakeNode& node) { return node.images().size() == 1; }));
  EXPECT_EQ(Names(), std::vector<std::string>{"app:1"});
}

TEST_F(Images, ARefusedArchiveIsForgotten) {
  FakeNode::Behaviour choosy;
  choosy.refuses_images = "layer 2 leads out of the root with ../../etc/passwd";
  node_->Behave(choosy);
  v1::LoadImageResponse response;
  const grpc::Status status = Load(&cluster_, archive_, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(status.error_message().find("leads out of the root"), std::string::npos);
  EXPECT_NE(status.error_message().find("app.tar"), std::string::npos);
  EXPECT_TRUE(Names().empty());
  EXPECT_EQ(FilesIn(cluster_.directory() + "/images"), 0u);
  // It may be loaded again when the reason is gone.
  node_->Behave({});
  EXPECT_TRUE(Load(&cluster_, archive_, &response).ok());
}

TEST_F(Images, WithoutAReadyNodeThereIsNobodyToUnpack) {
  node_->Detach();
  ASSERT_TRUE(cluster_.WaitForNode("node1", false));
  v1::LoadImageResponse response;
  const grpc::Status status = Load(&cluster_, archive_, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(FilesIn(cluster_.directory() + "/images"), 0u);
}

TEST_F(Images, AnEmptyArchiveIsRefused) {
  v1::LoadImageResponse response;
  EXPECT_EQ(Load(&cluster_, "", &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(FilesIn(cluster_.directory() + "/images/tmp"), 0u);
}

}  // namespace
}  // namespace cluster::controller
