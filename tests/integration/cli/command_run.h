// Runs clusterctl in this process against a fake controller on a unix socket.
#pragma once

#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "cli/session.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"

#include "base/clock.h"
#include "base/unique_handle.h"
#include "fake_cluster.h"

namespace cluster::cli {

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

// Output that one thread writes and another reads.
class SharedOutput : public std::stringbuf {
 public:
  // Everything written and flushed so far.
  std::string text();
  // Waits until that contains `part`.
  void Await(const std::string& part);

 protected:
  int sync() override;

 private:
  Mutex mutex_;
  CondVar changed_;
  std::string text_ ABSL_GUARDED_BY(mutex_);
};

// A command that runs until it is done, in a thread of its own.
class BackgroundRun {
 public:
  BackgroundRun(std::string contexts_path, const Clock* clock, std::vector<std::string> arguments,
                int input);
  ~BackgroundRun();
  SharedOutput& out() { return out_; }
  // Waits for its end.
  Outcome Wait();

 private:
  SharedOutput out_;
  std::ostream out_stream_{&out_};
  std::ostringstream err_;
  int code_ = -1;
  std::thread thread_;
};

class CommandTest : public testing::Test {
 protected:
  CommandTest();
  ~CommandTest() override;

  // `input` is what standard input holds.
  Outcome Run(std::vector<std::string> arguments, absl::string_view input = "");
  std::unique_ptr<BackgroundRun> Start(std::vector<std::string> arguments, int input = -1);
  // Writes a file into the test's folder and returns its path.
  std::string Write(const std::string& name, absl::string_view text);
  // Parsed from a manifest; the test fails when it is none.
  void Put(absl::string_view manifest);
  // The same, with a status in protobuf's text form.
  void PutWithStatus(absl::string_view manifest, absl::string_view status);

  std::filesystem::path folder_;
  FakeClock clock_;
  FakeCluster cluster_;
  std::string server_;
  std::string contexts_path_;
  std::unique_ptr<grpc::Server> grpc_server_;
};

// A pod that runs on a node and is ready, as PutWithStatus takes them.
std::string PodManifest(const std::string& name, const std::string& node = "node1");
inline constexpr char kReady[] =
    "phase: POD_PHASE_RUNNING conditions { type: 'Ready' status: CONDITION_STATUS_TRUE }"
    " container_statuses { name: 'main' ready: true state { running {} } }";

}  // namespace cluster::cli
