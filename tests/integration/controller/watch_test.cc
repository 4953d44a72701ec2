#include <atomic>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "proto/schema/kinds.h"
#include "tests/integration/controller/support/test_cluster.h"

namespace cluster::controller {
namespace {

using Stream = std::unique_ptr<grpc::ClientReader<v1::WatchEvent>>;

Stream Watch(TestCluster* cluster, grpc::ClientContext* context, int64_t from,
             const std::string& labels = "") {
  v1::WatchRequest request;
  request.set_kind("ConfigMap");
  request.set_from_revision(from);
  request.set_label_selector(labels);
  return cluster->api()->Watch(context, request);
}

// Behaviour79: a watch that is cut again and again sees every change once, in order.
TEST(Watching, Behaviour79_ResumesWithoutAGapWhileManyWrite) {
  TestCluster cluster(Backend::kSqlite);
  constexpr int kWriters = 4;
  constexpr int kWrites = 50;
  ASSERT_TRUE(cluster.Apply({MakeConfigMap("start", "k", "v")}).ok());
  v1::Object object;
  ASSERT_TRUE(cluster.Get("ConfigMap", "start", &object).ok());
  int64_t from = std::stoll(Meta(object).resource_version());
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&cluster, w] {
      for (int i = 0; i < kWrites; ++i) {
        const v1::Object one = MakeConfigMap(absl::StrCat("w", w), "k", absl::StrCat(i));
        EXPECT_TRUE(cluster.Apply({one}).ok());
      }
    });
  }
  std::map<std::string, int> next;
  int seen = 0;
  while (seen < kWriters * kWrites) {
    grpc::ClientContext context;
    const Stream stream = Watch(&cluster, &context, from);
    v1::WatchEvent event;
    for (int i = 0; i < 7 && seen < kWriters * kWrites && stream->Read(&event); ++i) {
      ASSERT_GT(event.revision(), from);
      from = event.revision();
      const std::string& name = Meta(event.object()).name();
      EXPECT_EQ(event.object().config_map().data().at("k"), absl::StrCat(next[name])) << name;
      ++next[name];
      ++seen;
    }
    context.TryCancel();
  }
  for (std::thread& writer : writers) writer.join();
}

TEST(Watching, Behaviour79_TwoWatchersSeeTheSameOrder) {
  TestCluster cluster;
  grpc::ClientContext first_context;
  grpc::ClientContext second_context;
  const Stream first = Watch(&cluster, &first_context, 1);
  const Stream second = Watch(&cluster, &second_context, 1);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(
        cluster.Apply({MakeConfigMap(absl::StrCat("c", i % 3), "k", absl::StrCat(i))}).ok());
  }
  for (int i = 0; i < 20; ++i) {
    v1::WatchEvent a;
    v1::WatchEvent b;
    ASSERT_TRUE(first->Read(&a));
    ASSERT_TRUE(second->Read(&b));
    EXPECT_EQ(a.SerializeAsString(), b.SerializeAsString());
  }
  first_context.TryCancel();
  second_context.TryCancel();
}

TEST(Watching, Behaviour79_AnObjectThatLeavesTheSelectorIsDeletedForTheWatcher) {
  TestCluster cluster;
  v1::Object object = MakeConfigMap("a", "k", "v");
  (*MutableMeta(&object)->mutable_labels())["tier"] = "web";
  ASSERT_TRUE(cluster.Apply({object}).ok());
  grpc::ClientContext context;
  const Stream stream = Watch(&cluster, &context, 0, "tier=web");
  v1::WatchEvent event;
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.type(), v1::WATCH_EVENT_TYPE_ADDED);
  (*MutableMeta(&object)->mutable_labels())["tier"] = "db";
  ASSERT_TRUE(cluster.Apply({object}).ok());
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.type(), v1::WATCH_EVENT_TYPE_DELETED);
  (*MutableMeta(&object)->mutable_labels())["tier"] = "web";
  ASSERT_TRUE(cluster.Apply({object}).ok());
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.type(), v1::WATCH_EVENT_TYPE_ADDED);
  context.TryCancel();
}

TEST(Watching, BookmarksCarryARevisionToResumeFrom) {
  TestCluster cluster;
  grpc::ClientContext context;
  v1::WatchRequest request;
  request.set_kind("Secret");
  request.set_bookmarks(true);
  const Stream stream = cluster.api()->Watch(&context, request);
  v1::WatchEvent event;
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.type(), v1::WATCH_EVENT_TYPE_BOOKMARK);
  const int64_t first = event.revision();
  EXPECT_GT(first, 0);
  ASSERT_TRUE(cluster.Apply({MakeConfigMap("a", "k", "v")}).ok());
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.type(), v1::WATCH_EVENT_TYPE_BOOKMARK);
  EXPECT_GT(event.revision(), first);
  context.TryCancel();
}

TEST(Watching, FromTheFutureIsRefused) {
  TestCluster cluster;
  grpc::ClientContext context;
  const Stream stream = Watch(&cluster, &context, 1'000'000);
  v1::WatchEvent event;
  EXPECT_FALSE(stream->Read(&event));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace cluster::controller
