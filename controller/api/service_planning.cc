// ClusterService: evictions, and what concerns where pods are and would be.
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "controller/api/apply.h"
#include "controller/api/eviction.h"
#include "controller/api/forecast.h"
#include "controller/api/lookup.h"
#include "controller/api/service.h"
#include "controller/api/status.h"
#include "controller/object/object_fields.h"
#include "controller/reconcile/pod_state.h"
#include "controller/scheduler/explain.h"
#include "controller/scheduler/rebalance.h"
#include "proto/validate/difference.h"

namespace cluster::controller {
namespace {

constexpr size_t kMostChanges = 20;

absl::StatusOr<v1::WhyResponse> AnswerWhy(const Cache& cache, const v1::WhyRequest& request,
                                          const SchedulerOptions& scheduling) {
  ASSIGN_OR_RETURN(const EntryPtr pod,
                   FindObject(cache, "Pod", request.namespace_(), request.pod()));
  if (IsFinished(pod->object.pod())) {
    return absl::FailedPreconditionError(
        absl::StrCat(DisplayName(pod->object), " has ended: it is not placed any more"));
  }
  PodVerdict verdict = ExplainPod(cache.Snapshot(), pod, scheduling);
  v1::WhyResponse response;
  response.set_node(std::move(verdict.node));
  response.set_nominated_node(std::move(verdict.nominated));
  response.set_summary(std::move(verdict.summary));
  for (NodeVerdict& each : verdict.nodes) {
    v1::NodeVerdict* node = response.add_nodes();
    node->set_node(std::move(each.node));
    for (Rejection& rejection : each.rejections) {
      v1::FailedRule* failed = node->add_failed();
      failed->set_rule(std::move(rejection.reason));
      failed->set_lacking(std::move(rejection.lacking));
      failed->set_remedy(std::move(rejection.remedy));
    }
    for (ScorePart& part : each.score) {
      v1::ScorePart* score = node->add_score();
      score->set_name(std::move(part.name));
      score->set_value(part.value);
    }
  }
  return response;
}

absl::StatusOr<v1::PlanResponse> AnswerPlan(const Cache& cache, AddressBook* addresses,
                                            const v1::PlanRequest& request,
                                            const SchedulerOptions& scheduling, absl::Time now) {
  v1::ApplyRequest apply;
  *apply.mutable_objects() = request.objects();
  View view = cache.Snapshot();
  ASSIGN_OR_RETURN(ApplyPlan plan, PlanApply(cache, addresses, apply, RandomId(), now));
  v1::PlanResponse response;
  for (const v1::ApplyResult& result : plan.results) {
    v1::PlannedObject* planned = response.add_objects();
    planned->set_outcome(result.outcome());
    *planned->mutable_object() = result.object();
    const EntryPtr before = view.Find(Key(result.object()));
    if (before == nullptr || result.outcome() != v1::APPLY_OUTCOME_CONFIGURED) continue;
    v1::Object after = result.object();
    MutableMeta(&after)->set_generation(Meta(before->object).generation());
    MutableMeta(&after)->set_resource_version(Meta(before->object).resource_version());
    for (std::string& path : Differences(Inner(before->object), Inner(after), kMostChanges)) {
      // What is observed changes by itself.
      if (!absl::StartsWith(path, "status.")) planned->add_changes(std::move(path));
    }
  }
  for (v1::PlannedPods& pods : ForecastPods(std::move(view), plan.results, scheduling, now)) {
    *response.add_pods() = std::move(pods);
  }
  return response;
}

v1::RebalanceResponse AnswerRebalance(const Cache& cache, const v1::RebalanceRequest& request,
                                      const SchedulerOptions& scheduling) {
  v1::RebalanceResponse response;
  for (Move& move : ComputeRebalance(cache.Snapshot(), scheduling,
                                     {request.namespace_(), request.max_moves()})) {
    const std::vector<std::string> parts = absl::StrSplit(move.pod_key, '/');
    v1::Move* added = response.add_moves();
    added->set_namespace_(parts.at(1));
    added->set_pod(parts.at(2));
    added->set_uid(std::move(move.uid));
    added->set_from(std::move(move.from));
    added->set_to(std::move(move.to));
    added->set_reason(std::move(move.reason));
    added->set_held_back(std::move(move.held_back));
  }
  return response;
}

}  // namespace

grpc::ServerUnaryReactor* ClusterService::Evict(grpc::CallbackServerContext* context,
                                                const v1::EvictRequest* request,
                                                v1::EvictResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (!request->write_id().empty() && request->write_id().size() != 16) {
    reactor->Finish(ToGrpc(absl::InvalidArgumentError("write_id must have 16 bytes")));
    return reactor;
  }
  auto planned = std::make_shared<RemovalPlan>();
  auto plan = [this, request, planned]() -> absl::StatusOr<store::Txn> {
    auto made = PlanEviction(*cache_, *request, clock_->Now());
    if (!made.ok()) return made.status();
    *planned = std::move(made).value();
    return request->dry_run() ? store::Txn() : std::move(planned->txn);
  };
  writer_->Write(request->write_id(), plan,
                 [response, reactor, planned](const absl::Status& status, store::Rev rev) {
                   *response->mutable_object() = std::move(planned->object);
                   response->set_gone(planned->gone);
                   response->set_revision(rev);
                   reactor->Finish(ToGrpc(status));
                 });
  return reactor;
}

grpc::ServerUnaryReactor* ClusterService::Why(grpc::CallbackServerContext* context,
                                              const v1::WhyRequest* request,
                                              v1::WhyResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  questions_.Post([this, request, response, reactor] {
    auto answer = AnswerWhy(*cache_, *request, scheduling_);
    const absl::Status status = answer.status();
    if (status.ok()) *response = *std::move(answer);
    reactor->Finish(ToGrpc(status));
  });
  return reactor;
}

grpc::ServerUnaryReactor* ClusterService::Plan(grpc::CallbackServerContext* context,
                                               const v1::PlanRequest* request,
                                               v1::PlanResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  questions_.Post([this, request, response, reactor] {
    auto answer = AnswerPlan(*cache_, &addresses_, *request, scheduling_, clock_->Now());
    const absl::Status status = answer.status();
    if (status.ok()) *response = *std::move(answer);
    reactor->Finish(ToGrpc(status));
  });
  return reactor;
}

grpc::ServerUnaryReactor* ClusterService::Rebalance(grpc::CallbackServerContext* context,
                                                    const v1::RebalanceRequest* request,
                                                    v1::RebalanceResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  questions_.Post([this, request, response, reactor] {
    *response = AnswerRebalance(*cache_, *request, scheduling_);
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

}  // namespace cluster::controller
