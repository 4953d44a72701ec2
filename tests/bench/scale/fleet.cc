#include "tests/bench/scale/fleet.h"

#include <poll.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"

namespace cluster::bench {
namespace {

constexpr int kTickMilliseconds = 20;

std::shared_ptr<grpc::Channel> OwnConnection(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

Fleet::Fleet(const std::string& address, int nodes, const NodeSize& size) {
  hooks_.counts = &counts_;
  hooks_.told = [this](const std::string& pod_name) { OnTold(pod_name); };
  hooks_.beat_answered = [this](int64_t nanoseconds) {
    MutexLock lock(&mutex_);
    beats_.nanoseconds.push_back(nanoseconds);
  };
  for (int i = 0; i < nodes; ++i) {
    const auto dial = [this, address] {
      std::shared_ptr<grpc::Channel> connection = OwnConnection(address);
      MutexLock lock(&mutex_);
      connections_.push_back(connection);
      return connection;
    };
    nodes_.push_back(std::make_unique<LightNode>(dial, absl::StrCat("node-", i), size, &hooks_));
  }
  ticker_ = std::thread([this] { Tick(); });
}

Fleet::~Fleet() {
  stopping_ = true;
  ticker_.join();
  for (const auto& node : nodes_) node->Stop();
  while (counts_.streams != 0) poll(nullptr, 0, 1);
  // A call lets go of its connection on a thread of gRPC's, which would wait for itself if that
  // were the last one.
  for (const auto& connection : connections_) {
    while (connection.use_count() > 1) poll(nullptr, 0, 1);
  }
}

bool Fleet::Await(const std::function<bool(const FleetCounts&)>& condition) const {
  const int64_t until = Now() + 60'000'000'000;
  while (!condition(counts_)) {
    if (Now() > until) return false;
    poll(nullptr, 0, 5);
  }
  return true;
}

void Fleet::Tick() {
  while (!stopping_) {
    const int64_t now = Now();
    for (const auto& node : nodes_) node->Tick(now);
    poll(nullptr, 0, kTickMilliseconds);
  }
}

void Fleet::Expect(const std::string& pod_name, int64_t since) {
  MutexLock lock(&mutex_);
  expected_[pod_name] = since;
}

void Fleet::OnTold(const std::string& pod_name) {
  const int64_t now = Now();
  MutexLock lock(&mutex_);
  const auto found = expected_.find(pod_name);
  if (found == expected_.end()) return;
  told_.nanoseconds.push_back(now - found->second);
  expected_.erase(found);
}

Series Fleet::Told() {
  MutexLock lock(&mutex_);
  return told_;
}

size_t Fleet::Outstanding() {
  MutexLock lock(&mutex_);
  return expected_.size();
}

Series Fleet::Beats() {
  MutexLock lock(&mutex_);
  return std::exchange(beats_, {});
}

}  // namespace cluster::bench
