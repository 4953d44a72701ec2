// FakeCluster: evictions, and what is said about where pods go.
#include "absl/strings/str_cat.h"

#include "fake_cluster.h"
#include "proto/schema/kinds.h"

namespace cluster::cli {

void FakeCluster::SetWhy(v1::WhyResponse why) {
  const MutexLock lock(&mutex_);
  why_ = std::move(why);
}
void FakeCluster::SetPlan(v1::PlanResponse plan) {
  const MutexLock lock(&mutex_);
  plan_ = std::move(plan);
}
void FakeCluster::SetMoves(v1::RebalanceResponse moves) {
  const MutexLock lock(&mutex_);
  moves_ = std::move(moves);
}

grpc::Status FakeCluster::Evict(grpc::ServerContext* context, const v1::EvictRequest* request,
                                v1::EvictResponse* response) {
  v1::DeleteRequest removal;
  removal.set_kind("Pod");
  removal.set_namespace_(request->namespace_());
  removal.set_name(request->pod());
  removal.set_uid(request->uid());
  if (request->has_grace_period_seconds()) {
    removal.set_grace_period_seconds(request->grace_period_seconds());
  }
  {
    const MutexLock lock(&mutex_);
    for (const auto& [key, object] : objects_) {
      if (!object.has_pod_disruption_budget() ||
          Meta(object).namespace_() != request->namespace_() ||
          object.pod_disruption_budget().status().disruptions_allowed() > 0) {
        continue;
      }
      return {grpc::StatusCode::RESOURCE_EXHAUSTED,
              absl::StrCat("Cannot evict pod as it would violate the pod's disruption budget: ",
                           Meta(object).name(), " allows 0 disruptions now")};
    }
  }
  v1::DeleteResponse removed;
  const grpc::Status status = Delete(context, &removal, &removed);
  *response->mutable_object() = removed.object();
  response->set_gone(removed.gone());
  return status;
}

grpc::Status FakeCluster::Why(grpc::ServerContext*, const v1::WhyRequest* request,
                              v1::WhyResponse* response) {
  const MutexLock lock(&mutex_);
  if (Find("Pod", request->namespace_(), request->pod()) == nullptr) {
    return {grpc::StatusCode::NOT_FOUND, absl::StrCat("pods \"", request->pod(), "\" not found")};
  }
  *response = why_;
  return grpc::Status::OK;
}

grpc::Status FakeCluster::Plan(grpc::ServerContext*, const v1::PlanRequest* /*request*/,
                               v1::PlanResponse* response) {
  const MutexLock lock(&mutex_);
  *response = plan_;
  return grpc::Status::OK;
}

grpc::Status FakeCluster::Rebalance(grpc::ServerContext*, const v1::RebalanceRequest* request,
                                    v1::RebalanceResponse* response) {
  const MutexLock lock(&mutex_);
  for (const v1::Move& move : moves_.moves()) {
    if (request->namespace_().empty() || request->namespace_() == move.namespace_()) {
      *response->add_moves() = move;
    }
  }
  return grpc::Status::OK;
}

}  // namespace cluster::cli
