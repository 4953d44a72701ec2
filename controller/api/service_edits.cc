// The calls that change a part of one object.
#include <functional>
#include <memory>
#include <utility>

#include "controller/api/service.h"
#include "controller/api/status.h"

namespace cluster::controller {
namespace {

// How an answer carries what was planned, and at which revision it holds.
template <typename Response>
void Fill(EditPlan plan, store::Rev revision, Response* response) {
  *response->mutable_object() = std::move(plan.object);
  response->set_revision(revision);
}
void Fill(EditPlan plan, store::Rev /*revision*/, v1::CordonResponse* response) {
  *response->mutable_object() = std::move(plan.object);
}
void Fill(EditPlan plan, store::Rev /*revision*/, v1::AddEphemeralContainerResponse* response) {
  *response->mutable_pod() = std::move(*plan.object.mutable_pod());
}

}  // namespace

template <typename Request, typename Response>
grpc::ServerUnaryReactor* ClusterService::Edit(grpc::CallbackServerContext* context,
                                               const Request* request, Response* response,
                                               std::function<absl::StatusOr<EditPlan>()> make) {
  const absl::Status id = CheckWriteId(request->write_id());
  if (!id.ok()) return Answer(context, id);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto planned = std::make_shared<EditPlan>();
  auto plan = [make = std::move(make), planned]() -> absl::StatusOr<store::Txn> {
    auto made = make();
    if (!made.ok()) return made.status();
    *planned = std::move(made).value();
    return std::move(planned->txn);
  };
  writer_->Write(request->write_id(), plan,
                 [response, reactor, planned](const absl::Status& status, store::Rev revision) {
                   Fill(std::move(*planned), revision, response);
                   reactor->Finish(ToGrpc(status));
                 });
  return reactor;
}

grpc::ServerUnaryReactor* ClusterService::Scale(grpc::CallbackServerContext* context,
                                                const v1::ScaleRequest* request,
                                                v1::ScaleResponse* response) {
  return Edit(context, request, response, [this, request] { return PlanScale(*cache_, *request); });
}

grpc::ServerUnaryReactor* ClusterService::Rollout(grpc::CallbackServerContext* context,
                                                  const v1::RolloutRequest* request,
                                                  v1::RolloutResponse* response) {
  return Edit(context, request, response,
              [this, request] { return PlanRolloutEdit(*cache_, *request, clock_->Now()); });
}

grpc::ServerUnaryReactor* ClusterService::Undo(grpc::CallbackServerContext* context,
                                               const v1::UndoRequest* request,
                                               v1::UndoResponse* response) {
  return Edit(context, request, response, [this, request, response]() -> absl::StatusOr<EditPlan> {
    absl::StatusOr<UndoEdit> undo = PlanUndoEdit(*cache_, *request);
    if (!undo.ok()) return undo.status();
    response->set_from_history(undo->from_history);
    return std::move(undo->edit);
  });
}

grpc::ServerUnaryReactor* ClusterService::Cordon(grpc::CallbackServerContext* context,
                                                 const v1::CordonRequest* request,
                                                 v1::CordonResponse* response) {
  return Edit(context, request, response, [this, request, response]() -> absl::StatusOr<EditPlan> {
    absl::StatusOr<EditPlan> plan = PlanCordon(*cache_, *request);
    if (plan.ok()) response->set_changed(!plan->txn.ops.empty());
    return plan;
  });
}

grpc::ServerUnaryReactor* ClusterService::AddEphemeralContainer(
    grpc::CallbackServerContext* context, const v1::AddEphemeralContainerRequest* request,
    v1::AddEphemeralContainerResponse* response) {
  return Edit(context, request, response,
              [this, request] { return PlanAddEphemeral(*cache_, *request); });
}

}  // namespace cluster::controller
