// The gRPC face of the cluster for users: validates, calls, converts.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "base/clock.h"
#include "base/strand.h"
#include "cluster/v1/api.grpc.pb.h"
#include "controller/api/edits.h"
#include "controller/api/revision_gate.h"
#include "controller/api/writer.h"
#include "controller/cache/cache.h"
#include "controller/scheduler/scheduler.h"
#include "controller/services/address_book.h"
#include "controller/session/sessions.h"
#include "controller/store/store.h"

namespace cluster::controller {

// Thread-safe; no handler blocks. The store must have answered everything when it goes.
class ClusterService final : public v1::Cluster::CallbackService {
 public:
  // All must outlive the service.
  struct Parts {
    store::Store* store = nullptr;
    Cache* cache = nullptr;
    Sessions* sessions = nullptr;
    const Clock* clock = nullptr;
    ServiceRanges service_ranges = {};
  };
  static absl::StatusOr<std::unique_ptr<ClusterService>> Make(const Parts& parts,
                                                              std::string version,
                                                              SchedulerOptions scheduling);
  ~ClusterService() override;
  // Writes nothing more. Call once the gRPC server has stopped.
  void Stop();

  grpc::ServerUnaryReactor* Apply(grpc::CallbackServerContext* context,
                                  const v1::ApplyRequest* request,
                                  v1::ApplyResponse* response) override;
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context, const v1::GetRequest* request,
                                v1::GetResponse* response) override;
  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const v1::ListRequest* request,
                                 v1::ListResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchEvent>* Watch(grpc::CallbackServerContext* context,
                                                  const v1::WatchRequest* request) override;
  grpc::ServerUnaryReactor* Delete(grpc::CallbackServerContext* context,
                                   const v1::DeleteRequest* request,
                                   v1::DeleteResponse* response) override;
  grpc::ServerUnaryReactor* Scale(grpc::CallbackServerContext* context,
                                  const v1::ScaleRequest* request,
                                  v1::ScaleResponse* response) override;
  grpc::ServerUnaryReactor* Rollout(grpc::CallbackServerContext* context,
                                    const v1::RolloutRequest* request,
                                    v1::RolloutResponse* response) override;
  grpc::ServerUnaryReactor* Undo(grpc::CallbackServerContext* context,
                                 const v1::UndoRequest* request,
                                 v1::UndoResponse* response) override;
  grpc::ServerUnaryReactor* Cordon(grpc::CallbackServerContext* context,
                                   const v1::CordonRequest* request,
                                   v1::CordonResponse* response) override;
  grpc::ServerUnaryReactor* AddEphemeralContainer(
      grpc::CallbackServerContext* context, const v1::AddEphemeralContainerRequest* request,
      v1::AddEphemeralContainerResponse* response) override;
  grpc::ServerWriteReactor<v1::LogsResponse>* Logs(grpc::CallbackServerContext* context,
                                                   const v1::LogsRequest* request) override;
  grpc::ServerBidiReactor<v1::ExecRequest, v1::ExecResponse>* Exec(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<v1::PortForwardRequest, v1::PortForwardResponse>* PortForward(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* Stats(grpc::CallbackServerContext* context,
                                  const v1::StatsRequest* request,
                                  v1::StatsResponse* response) override;
  grpc::ServerReadReactor<v1::LoadImageRequest>* LoadImage(
      grpc::CallbackServerContext* context, v1::LoadImageResponse* response) override;
  grpc::ServerUnaryReactor* ListImages(grpc::CallbackServerContext* context,
                                       const v1::ListImagesRequest* request,
                                       v1::ListImagesResponse* response) override;
  grpc::ServerUnaryReactor* GetVersion(grpc::CallbackServerContext* context,
                                       const v1::GetVersionRequest* request,
                                       v1::GetVersionResponse* response) override;

  // In service_planning.cc.
  grpc::ServerUnaryReactor* Evict(grpc::CallbackServerContext* context,
                                  const v1::EvictRequest* request,
                                  v1::EvictResponse* response) override;
  grpc::ServerUnaryReactor* Why(grpc::CallbackServerContext* context, const v1::WhyRequest* request,
                                v1::WhyResponse* response) override;
  grpc::ServerUnaryReactor* Plan(grpc::CallbackServerContext* context,
                                 const v1::PlanRequest* request,
                                 v1::PlanResponse* response) override;
  grpc::ServerUnaryReactor* Rebalance(grpc::CallbackServerContext* context,
                                      const v1::RebalanceRequest* request,
                                      v1::RebalanceResponse* response) override;

 private:
  ClusterService(const Parts& parts, std::string version, SchedulerOptions scheduling);

  // One write of what `make` plans; its response has the object as planned. In service_edits.cc.
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Edit(grpc::CallbackServerContext* context, const Request* request,
                                 Response* response,
                                 std::function<absl::StatusOr<EditPlan>()> make);

  // As the cache shows it now, else as it was planned.
  v1::Object Shown(const std::string& key, v1::Object planned) const;

  Cache* const cache_;
  Sessions* const sessions_;
  const Clock* const clock_;
  const std::string version_;
  const SchedulerOptions scheduling_;
  // Before whatever holds calls: they hold reservations.
  AddressBook addresses_;
  Strand writes_{"api-writes"};
  std::array<Strand, 2> watches_{Strand("api-watch-0"), Strand("api-watch-1")};
  // What takes a look at the whole cluster, one after another.
  Strand questions_{"api-questions"};
  std::atomic<size_t> next_watch_{0};
  std::unique_ptr<RevisionGate> gate_;
  std::unique_ptr<Writer> writer_;
};

}  // namespace cluster::controller
