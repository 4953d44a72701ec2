// A controller of the real kind on a unix socket in a directory of its own, for tests.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "base/clock.h"
#include "cluster/v1/api.grpc.pb.h"
#include "controller/server/server.h"
#include "controller/store/memory_store.h"
#include "tests/integration/controller/support/fake_node.h"
#include "tests/integration/controller/support/objects.h"

namespace cluster::controller {

enum class Backend { kMemory, kSqlite };

// Leases are five times as fast as by default (and autoscalers, which are no part of it, 15 times).
SessionOptions FastSessions();

class TestCluster {
 public:
  // `clock`: the controller's; outlives it.
  explicit TestCluster(Backend backend = Backend::kMemory, SessionOptions sessions = FastSessions(),
                       const Clock* clock = RealClock());
  ~TestCluster();

  // Stops and starts the controller over the same store (SQLite).
  void Restart();
  // From the next start on.
  void SetSessions(SessionOptions sessions) { sessions_ = std::move(sessions); }
  void Stop();
  void Start();
  // Of the running controller, with Backend::kMemory.
  store::MemoryStore* memory() { return memory_; }

  std::shared_ptr<grpc::Channel> Channel() const;
  v1::Cluster::Stub* api() { return api_.get(); }
  std::unique_ptr<FakeNode> MakeNode(const std::string& name) const;
  // The same over TCP, on a port of the loopback.
  std::unique_ptr<FakeNode> MakeRemoteNode(const std::string& name) const;

  grpc::Status Apply(const std::vector<v1::Object>& objects, v1::ApplyResponse* response = nullptr,
                     const std::string& write_id = "");
  grpc::Status Delete(const std::string& kind, const std::string& name,
                      std::optional<int64_t> grace = std::nullopt);
  grpc::Status Get(const std::string& kind, const std::string& name, v1::Object* object,
                   const std::string& name_space = "default");
  std::vector<v1::Object> List(const std::string& kind, const std::string& labels = "",
                               const std::string& fields = "");

  // Watches a kind until `condition` holds for all of its objects; false after 20 s.
  bool WaitFor(const std::string& kind,
               const std::function<bool(const std::map<std::string, v1::Object>&)>& condition);
  bool WaitForReady(const std::string& app, int pods);
  bool WaitForNode(const std::string& name, bool ready);

  const std::string& directory() const { return directory_; }
  std::string socket() const { return directory_ + "/api.sock"; }

 private:
  const Backend backend_;
  SessionOptions sessions_;
  const Clock* const clock_;
  std::string directory_;
  uint64_t seed_ = 0;
  store::MemoryStore* memory_ = nullptr;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::Cluster::Stub> api_;
};

}  // namespace cluster::controller
