// The program itself, killed in the middle of its work.
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"

#include "cluster/v1/api.grpc.pb.h"
#include "controller/object/object_fields.h"
#include "proto/schema/kinds.h"
#include "tests/integration/controller/support/objects.h"

namespace cluster::controller {
namespace {

std::string Program() {
  const char* directory = getenv("CLUSTER_BIN_DIR");
  return absl::StrCat(directory == nullptr ? "build/bin" : directory, "/cluster-controller");
}

class Process : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = (std::filesystem::temp_directory_path() / "durable-XXXXXX").string();
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
  }
  void TearDown() override {
    if (pid_ > 0) End(SIGKILL);
    std::filesystem::remove_all(directory_);
  }

  void Spawn(const std::string& socket = "") {
    std::vector<std::string> words = {Program(),
                                      "--state-dir",
                                      directory_ + "/state",
                                      "--socket",
                                      socket.empty() ? Socket() : socket,
                                      "--log-level",
                                      "error"};
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ASSERT_EQ(posix_spawn(&pid_, argv[0], nullptr, nullptr, argv.data(), environ), 0);
  }
  int End(int signal_number) {
    kill(pid_, signal_number);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }
  std::string Socket() const { return directory_ + "/api.sock"; }
  std::unique_ptr<v1::Cluster::Stub> Connect() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 10);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 20);
    return v1::Cluster::NewStub(grpc::CreateCustomChannel(
        "unix:" + Socket(), grpc::InsecureChannelCredentials(), arguments));
  }
  static void SetUp(grpc::ClientContext* context, bool wait) {
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    context->set_wait_for_ready(wait);
  }

  std::string directory_;
  pid_t pid_ = -1;
};

// Law 4: what was acknowledged is there after kill -9, whatever the moment; what was not is there
// whole or not at all.
TEST_F(Process, Law4_AcknowledgedMeansDurable) {
  constexpr int kRounds = 8;
  constexpr int kWriters = 4;
  std::mt19937 random(7);
  std::vector<std::vector<std::string>> acknowledged(kWriters);
  int next = 0;
  for (int round = 0; round < kRounds; ++round) {
    Spawn();
    std::atomic<int> done = 0;
    std::atomic<bool> dead = false;
    const int kill_after = 5 + static_cast<int>(random() % 60);
    std::vector<std::thread> writers;
    for (int w = 0; w < kWriters; ++w) {
      writers.emplace_back([&, w, first = next + w * 100'000] {
        const auto stub = Connect();
        for (int i = first; !dead; ++i) {
          grpc::ClientContext context;
          SetUp(&context, /*wait=*/i == first);
          v1::ApplyRequest request;
          // A pair that is there together or not at all.
          *request.add_objects() = MakeConfigMap(absl::StrCat("a", i), "k", "v");
          *request.add_objects() = MakeConfigMap(absl::StrCat("b", i), "k", "v");
          v1::ApplyResponse response;
          if (!stub->Apply(&context, request, &response).ok()) continue;
          acknowledged[static_cast<size_t>(w)].push_back(absl::StrCat(i));
          ++done;
          done.notify_all();
        }
      });
    }
    for (int seen = done; seen < kill_after; seen = done) done.wait(seen);
    End(SIGKILL);
    dead = true;
    for (std::thread& writer : writers) writer.join();
    next += 1000;
  }
  Spawn();
  grpc::ClientContext context;
  SetUp(&context, /*wait=*/true);
  v1::ListRequest request;
  request.set_kind("ConfigMap");
  v1::ListResponse response;
  const auto stub = Connect();
  const grpc::Status status = stub->List(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  std::set<std::string> there;
  for (const v1::Object& object : response.objects()) there.insert(Meta(object).name());
  size_t count = 0;
  for (const auto& names : acknowledged) {
    for (const std::string& name : names) {
      EXPECT_TRUE(there.contains("a" + name)) << name;
      ++count;
    }
  }
  EXPECT_GE(count, size_t{kRounds} * 5);
  for (const std::string& name : there) {
    EXPECT_TRUE(there.contains((name[0] == 'a' ? "b" : "a") + name.substr(1))) << name;
  }
}

TEST_F(Process, SigtermEndsItCleanlyAndASecondOneIsRefused) {
  Spawn();
  {
    grpc::ClientContext context;
    SetUp(&context, /*wait=*/true);
    v1::GetVersionResponse response;
    const auto stub = Connect();
    ASSERT_TRUE(stub->GetVersion(&context, {}, &response).ok());
  }
  const pid_t first = pid_;
  // The store has one owner.
  Spawn(directory_ + "/other.sock");
  int status = 0;
  ASSERT_EQ(waitpid(pid_, &status, 0), pid_);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 1);
  pid_ = first;
  status = End(SIGTERM);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_FALSE(std::filesystem::exists(Socket()));
}

TEST_F(Process, ADamagedStoreIsRefusedAndLeftAlone) {
  Spawn();
  {
    grpc::ClientContext context;
    SetUp(&context, /*wait=*/true);
    v1::GetVersionResponse response;
    const auto stub = Connect();
    ASSERT_TRUE(stub->GetVersion(&context, {}, &response).ok());
  }
  End(SIGTERM);
  const std::string store = directory_ + "/state/store.db";
  const auto size = std::filesystem::file_size(store);
  std::filesystem::resize_file(store, 10);
  Spawn();
  int status = 0;
  ASSERT_EQ(waitpid(pid_, &status, 0), pid_);
  pid_ = -1;
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_EQ(std::filesystem::file_size(store), 10u);
  EXPECT_GT(size, 10u);
}

}  // namespace
}  // namespace cluster::controller
