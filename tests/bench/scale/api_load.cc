#include "tests/bench/scale/api_load.h"

#include <poll.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/client_context.h"

#include "proto/schema/kinds.h"
#include "tests/domain/builders.h"

namespace cluster::bench {
namespace {

constexpr int kConfigMaps = 200;
// A pod is deleted when so many younger ones exist.
constexpr int64_t kPodsAlive = 500;

void SetDeadline(int seconds, grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(seconds));
}

v1::Object Manifest(v1::Object object) {
  MutableMeta(&object)->clear_uid();
  return object;
}

v1::Object ConfigMap(int64_t number) {
  v1::Object object = NewObject(*FindKind("ConfigMap"));
  MutableMeta(&object)->set_name(absl::StrCat("settings-", number % kConfigMaps));
  (*object.mutable_config_map()->mutable_data())["value"] = absl::StrCat(number);
  return object;
}

std::string PodName(int64_t number) { return absl::StrCat("churn-", number); }

}  // namespace

struct ApiLoad::Call {
  int64_t due = 0;
  grpc::ClientContext context;
  v1::ApplyRequest apply;
  v1::ApplyResponse applied;
  v1::DeleteRequest remove;
  v1::DeleteResponse removed;
};

ApiLoad::ApiLoad(std::shared_ptr<grpc::Channel> channel, Fleet* fleet)
    : stub_(v1::Cluster::NewStub(std::move(channel))), fleet_(fleet) {}

ApiLoad::~ApiLoad() { Drain(); }

void ApiLoad::ApplyDeployments(int deployments, int pods) {
  grpc::ClientContext context;
  SetDeadline(60, &context);
  v1::ApplyRequest request;
  for (int i = 0; i < deployments; ++i) {
    const int replicas = pods / deployments + (i < pods % deployments ? 1 : 0);
    *request.add_objects() = Manifest(domain::Deployment(absl::StrCat("app-", i))
                                          .Replicas(replicas)
                                          .Image("registry.example.com/team/app:1.2.3")
                                          .Cpu("10m")
                                          .Memory("16Mi")
                                          .get());
  }
  v1::ApplyResponse response;
  const grpc::Status status = stub_->Apply(&context, request, &response);
  if (!status.ok()) Die(absl::StrCat("apply: ", status.error_message()));
}

int ApiLoad::CountReadyNodes() {
  grpc::ClientContext context;
  SetDeadline(60, &context);
  v1::ListRequest request;
  request.set_kind("Node");
  v1::ListResponse response;
  const grpc::Status status = stub_->List(&context, request, &response);
  if (!status.ok()) Die(absl::StrCat("list: ", status.error_message()));
  int ready = 0;
  for (const v1::Object& object : response.objects()) {
    for (const v1::Condition& condition : object.node().status().conditions()) {
      const bool is =
          condition.type() == "Ready" && condition.status() == v1::CONDITION_STATUS_TRUE;
      if (is) ++ready;
    }
  }
  return ready;
}

void ApiLoad::AwaitReadyNodes(int nodes) {
  while (CountReadyNodes() < nodes) poll(nullptr, 0, 100);
}

void ApiLoad::Apply(v1::Object object, int64_t due) {
  auto* call = new Call;
  call->due = due;
  SetDeadline(60, &call->context);
  *call->apply.add_objects() = std::move(object);
  ++open_;
  stub_->async()->Apply(&call->context, &call->apply, &call->applied,
                        [this, call](const grpc::Status& status) { Done(call, status); });
}

void ApiLoad::Delete(const std::string& pod, int64_t due) {
  auto* call = new Call;
  call->due = due;
  SetDeadline(60, &call->context);
  call->remove.set_kind("Pod");
  call->remove.set_namespace_("default");
  call->remove.set_name(pod);
  ++open_;
  stub_->async()->Delete(&call->context, &call->remove, &call->removed,
                         [this, call](const grpc::Status& status) { Done(call, status); });
}

void ApiLoad::Done(Call* call, const grpc::Status& status) {
  const std::unique_ptr<Call> own(call);
  {
    MutexLock lock(&mutex_);
    if (status.ok()) {
      answers_.latency.nanoseconds.push_back(Now() - call->due);
    } else {
      ++answers_.failed;
      answers_.why = status.error_message();
    }
  }
  --open_;
}

void ApiLoad::Issue(int64_t number, int64_t due, bool pods_too) {
  if (pods_too && number % 4 == 0) {
    const std::string name = PodName(created_++);
    fleet_->Expect(name, due);
    return Apply(Manifest(domain::Pod(name).Cpu("10m").Memory("16Mi").get()), due);
  }
  if (pods_too && number % 4 == 2 && created_ - deleted_ > kPodsAlive) {
    return Delete(PodName(deleted_++), due);
  }
  Apply(ConfigMap(number), due);
}

ApiLoad::Answers ApiLoad::Churn(int per_second, double seconds) {
  const int64_t begin = Now();
  const auto changes = static_cast<int64_t>(seconds * per_second);
  for (int64_t i = 0; i < changes; ++i) {
    const int64_t due = begin + i * 1'000'000'000 / per_second;
    while (Now() < due) poll(nullptr, 0, 1);
    Issue(i, due, /*pods_too=*/true);
  }
  return Drain();
}

ApiLoad::Answers ApiLoad::WriteUntil(int per_second, const std::function<bool()>& over) {
  const int64_t begin = Now();
  for (int64_t i = 0; !over(); ++i) {
    const int64_t due = begin + i * 1'000'000'000 / per_second;
    while (Now() < due) {
      poll(nullptr, 0, 1);
      if (over()) return Drain();
    }
    Issue(i, due, /*pods_too=*/false);
  }
  return Drain();
}

ApiLoad::Answers ApiLoad::Drain() {
  while (open_ != 0) poll(nullptr, 0, 1);
  MutexLock lock(&mutex_);
  return std::exchange(answers_, {});
}

}  // namespace cluster::bench
