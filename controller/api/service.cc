#include "controller/api/service.h"

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "controller/api/apply.h"
#include "controller/api/exec_call.h"
#include "controller/api/load_image_call.h"
#include "controller/api/logs_call.h"
#include "controller/api/lookup.h"
#include "controller/api/port_forward_call.h"
#include "controller/api/removal.h"
#include "controller/api/selection.h"
#include "controller/api/stats_call.h"
#include "controller/api/status.h"
#include "controller/api/watch_call.h"
#include "controller/object/object_fields.h"

namespace cluster::controller {

absl::StatusOr<std::unique_ptr<ClusterService>> ClusterService::Make(const Parts& parts,
                                                                     std::string version,
                                                                     SchedulerOptions scheduling) {
  auto service =
      std::unique_ptr<ClusterService>(new ClusterService(parts, std::move(version), scheduling));
  ASSIGN_OR_RETURN(service->gate_, RevisionGate::Start(parts.cache, &service->writes_));
  service->writer_ = std::make_unique<Writer>(parts.store, parts.cache, service->gate_.get());
  return service;
}

ClusterService::ClusterService(const Parts& parts, std::string version, SchedulerOptions scheduling)
    : cache_(parts.cache),
      sessions_(parts.sessions),
      clock_(parts.clock),
      version_(std::move(version)),
      scheduling_(scheduling),
      addresses_(parts.cache, parts.service_ranges) {}

ClusterService::~ClusterService() { Stop(); }

void ClusterService::Stop() {
  writes_.Stop();
  questions_.Stop();
  for (Strand& strand : watches_) strand.Stop();
}

v1::Object ClusterService::Shown(const std::string& key, v1::Object planned) const {
  const EntryPtr entry = cache_->Read([&](const View& view) { return view.Find(key); });
  if (entry != nullptr) return entry->object;
  return planned;
}

grpc::ServerUnaryReactor* ClusterService::Apply(grpc::CallbackServerContext* context,
                                                const v1::ApplyRequest* request,
                                                v1::ApplyResponse* response) {
  const absl::Status id = CheckWriteId(request->write_id());
  if (!id.ok()) return Answer(context, id);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const std::string write_id = request->write_id().empty() ? RandomId() : request->write_id();
  auto planned = std::make_shared<ApplyPlan>();
  auto plan = [this, request, write_id, planned]() -> absl::StatusOr<store::Txn> {
    auto made = PlanApply(*cache_, &addresses_, *request, write_id, clock_->Now());
    if (!made.ok()) return made.status();
    *planned = std::move(made).value();
    return request->dry_run() ? store::Txn() : std::move(planned->txn);
  };
  writer_->Write(
      write_id, plan,
      [this, request, response, reactor, planned](const absl::Status& status, store::Rev rev) {
        // It may be done yet.
        if (absl::IsUnknown(status)) planned->reserved.KeepForEver();
        if (!status.ok()) return reactor->Finish(ToGrpc(status));
        for (size_t i = 0; i < planned->results.size(); ++i) {
          v1::ApplyResult* result = response->add_results();
          *result = std::move(planned->results[i]);
          if (request->dry_run()) continue;
          *result->mutable_object() = Shown(planned->keys[i], std::move(*result->mutable_object()));
        }
        response->set_revision(rev);
        reactor->Finish(grpc::Status::OK);
      });
  return reactor;
}

grpc::ServerUnaryReactor* ClusterService::Get(grpc::CallbackServerContext* context,
                                              const v1::GetRequest* request,
                                              v1::GetResponse* response) {
  const auto found = FindObject(*cache_, request->kind(), request->namespace_(), request->name());
  if (found.ok()) *response->mutable_object() = (*found)->object;
  return Answer(context, found.status());
}

grpc::ServerUnaryReactor* ClusterService::List(grpc::CallbackServerContext* context,
                                               const v1::ListRequest* request,
                                               v1::ListResponse* response) {
  auto page = ListPage(*cache_, *request);
  if (!page.ok()) return Answer(context, page.status());
  *response = *std::move(page);
  return Answer(context, absl::OkStatus());
}

grpc::ServerWriteReactor<v1::WatchEvent>* ClusterService::Watch(
    grpc::CallbackServerContext* /*context*/, const v1::WatchRequest* request) {
  const size_t strand = next_watch_.fetch_add(1, std::memory_order_relaxed) % watches_.size();
  return new WatchCall(cache_, &watches_[strand], *request);
}

grpc::ServerUnaryReactor* ClusterService::Delete(grpc::CallbackServerContext* context,
                                                 const v1::DeleteRequest* request,
                                                 v1::DeleteResponse* response) {
  const absl::Status id = CheckWriteId(request->write_id());
  if (!id.ok()) return Answer(context, id);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto planned = std::make_shared<RemovalPlan>();
  auto plan = [this, request, planned]() -> absl::StatusOr<store::Txn> {
    auto made = PlanRemoval(*cache_, *request, clock_->Now());
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

grpc::ServerWriteReactor<v1::LogsResponse>* ClusterService::Logs(
    grpc::CallbackServerContext* /*context*/, const v1::LogsRequest* request) {
  return new LogsCall(cache_, sessions_, *request);
}

grpc::ServerBidiReactor<v1::ExecRequest, v1::ExecResponse>* ClusterService::Exec(
    grpc::CallbackServerContext* /*context*/) {
  return new ExecCall(cache_, sessions_);
}

grpc::ServerBidiReactor<v1::PortForwardRequest, v1::PortForwardResponse>*
ClusterService::PortForward(grpc::CallbackServerContext* /*context*/) {
  return new PortForwardCall(cache_, sessions_);
}

grpc::ServerUnaryReactor* ClusterService::Stats(grpc::CallbackServerContext* /*context*/,
                                                const v1::StatsRequest* request,
                                                v1::StatsResponse* response) {
  return new StatsCall(cache_, sessions_, *request, response);
}

grpc::ServerReadReactor<v1::LoadImageRequest>* ClusterService::LoadImage(
    grpc::CallbackServerContext* context, v1::LoadImageResponse* response) {
  return new LoadImageCall(context, sessions_, response);
}

grpc::ServerUnaryReactor* ClusterService::ListImages(grpc::CallbackServerContext* context,
                                                     const v1::ListImagesRequest* /*request*/,
                                                     v1::ListImagesResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  sessions_->ListImages([response, reactor](std::vector<v1::Image> images) {
    for (v1::Image& image : images) *response->add_images() = std::move(image);
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

grpc::ServerUnaryReactor* ClusterService::GetVersion(grpc::CallbackServerContext* context,
                                                     const v1::GetVersionRequest* /*request*/,
                                                     v1::GetVersionResponse* response) {
  response->set_version(version_);
  response->set_api("v1");
  response->set_revision(cache_->revision());
  return Answer(context, absl::OkStatus());
}

}  // namespace cluster::controller
