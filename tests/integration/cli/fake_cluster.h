// A controller with behaviour, in memory: objects with revisions, watches without gaps, deletion
// with grace, logs and commands. It validates and defaults as the real one does. Any thread.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "cluster/v1/api.grpc.pb.h"

namespace cluster::cli {

class FakeCluster final : public v1::Cluster::Service {
 public:
  // --- What a test prepares and asks.
  void Put(v1::Object object) ABSL_LOCKS_EXCLUDED(mutex_);
  // Removes it for good, as when the node has reported the pod's end.
  void Remove(const std::string& key) ABSL_LOCKS_EXCLUDED(mutex_);
  bool Has(const std::string& key) ABSL_LOCKS_EXCLUDED(mutex_);
  v1::Object Stored(const std::string& key) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until so many watches have been opened since the start.
  void AwaitWatches(int count) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until the object is being deleted.
  void AwaitDeletion(const std::string& key) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends every open watch with this status; later ones are fine.
  void EndWatches(grpc::Status status) ABSL_LOCKS_EXCLUDED(mutex_);

  // The next write is done, but its answer is lost.
  void LoseNextAnswer() ABSL_LOCKS_EXCLUDED(mutex_);
  // Before the next write somebody else changes this object.
  void ChangeBeforeNextWrite(const std::string& key) ABSL_LOCKS_EXCLUDED(mutex_);
  // Writes that changed something.
  int writes() ABSL_LOCKS_EXCLUDED(mutex_);

  // Appends to the log of pod/container; followers see it at once.
  void AppendLog(const std::string& container, const std::string& text) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndLog(const std::string& container) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until so many follow logs.
  void AwaitFollowers(int count) ABSL_LOCKS_EXCLUDED(mutex_);
  // What Stats answers; pods of other namespaces than the one asked for are left out.
  void SetStats(v1::StatsResponse stats) ABSL_LOCKS_EXCLUDED(mutex_);
  // What `tar cf` in a container writes.
  void SetTar(std::string bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // What the last `tar -xmf` was given.
  std::string taken_tar() ABSL_LOCKS_EXCLUDED(mutex_);
  // What Why, Plan and Rebalance answer.
  void SetWhy(v1::WhyResponse why) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetPlan(v1::PlanResponse plan) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetMoves(v1::RebalanceResponse moves) ABSL_LOCKS_EXCLUDED(mutex_);
  v1::LogsRequest last_logs() ABSL_LOCKS_EXCLUDED(mutex_);
  v1::ExecStart last_exec() ABSL_LOCKS_EXCLUDED(mutex_);
  v1::DeleteRequest last_delete() ABSL_LOCKS_EXCLUDED(mutex_);
  std::string loaded_archive() ABSL_LOCKS_EXCLUDED(mutex_);
  v1::LoadImageHeader loaded_header() ABSL_LOCKS_EXCLUDED(mutex_);

  // --- The service.
  grpc::Status Apply(grpc::ServerContext* context, const v1::ApplyRequest* request,
                     v1::ApplyResponse* response) override;
  grpc::Status Get(grpc::ServerContext* context, const v1::GetRequest* request,
                   v1::GetResponse* response) override;
  grpc::Status List(grpc::ServerContext* context, const v1::ListRequest* request,
                    v1::ListResponse* response) override;
  grpc::Status Watch(grpc::ServerContext* context, const v1::WatchRequest* request,
                     grpc::ServerWriter<v1::WatchEvent>* writer) override;
  grpc::Status Delete(grpc::ServerContext* context, const v1::DeleteRequest* request,
                      v1::DeleteResponse* response) override;
  grpc::Status Scale(grpc::ServerContext* context, const v1::ScaleRequest* request,
                     v1::ScaleResponse* response) override;
  // Pauses and resumes; a restart changes the template.
  grpc::Status Rollout(grpc::ServerContext* context, const v1::RolloutRequest* request,
                       v1::RolloutResponse* response) override;
  grpc::Status Undo(grpc::ServerContext* context, const v1::UndoRequest* request,
                    v1::UndoResponse* response) override;
  grpc::Status Cordon(grpc::ServerContext* context, const v1::CordonRequest* request,
                      v1::CordonResponse* response) override;
  grpc::Status Logs(grpc::ServerContext* context, const v1::LogsRequest* request,
                    grpc::ServerWriter<v1::LogsResponse>* writer) override;
  grpc::Status PortForward(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::PortForwardResponse, v1::PortForwardRequest>* stream) override;
  grpc::Status Exec(grpc::ServerContext* context,
                    grpc::ServerReaderWriter<v1::ExecResponse, v1::ExecRequest>* stream) override;
  grpc::Status LoadImage(grpc::ServerContext* context,
                         grpc::ServerReader<v1::LoadImageRequest>* reader,
                         v1::LoadImageResponse* response) override;
  grpc::Status ListImages(grpc::ServerContext* context, const v1::ListImagesRequest* request,
                          v1::ListImagesResponse* response) override;
  grpc::Status Stats(grpc::ServerContext* context, const v1::StatsRequest* request,
                     v1::StatsResponse* response) override;
  // Refused while a budget of the pod's namespace allows no disruption.
  grpc::Status Evict(grpc::ServerContext* context, const v1::EvictRequest* request,
                     v1::EvictResponse* response) override;
  grpc::Status Why(grpc::ServerContext* context, const v1::WhyRequest* request,
                   v1::WhyResponse* response) override;
  grpc::Status Plan(grpc::ServerContext* context, const v1::PlanRequest* request,
                    v1::PlanResponse* response) override;
  grpc::Status Rebalance(grpc::ServerContext* context, const v1::RebalanceRequest* request,
                         v1::RebalanceResponse* response) override;
  grpc::Status GetVersion(grpc::ServerContext* context, const v1::GetVersionRequest* request,
                          v1::GetVersionResponse* response) override;

 private:
  struct Log {
    std::string text;
    bool ended = false;
  };

  // All with the mutex held.
  void Commit(v1::WatchEventType type, v1::Object object) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  grpc::Status Check(const v1::ApplyRequest& request, std::vector<v1::Object>* objects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Applies what a test asked to happen around a write; false: the answer is to be lost.
  bool Answered() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const v1::Object* Find(const std::string& kind, const std::string& name_space,
                         const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  CondVar changed_;
  int64_t revision_ ABSL_GUARDED_BY(mutex_) = 0;
  int next_uid_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, v1::Object> objects_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::WatchEvent> history_ ABSL_GUARDED_BY(mutex_);
  int watches_ ABSL_GUARDED_BY(mutex_) = 0;
  int watch_era_ ABSL_GUARDED_BY(mutex_) = 0;
  grpc::Status watch_end_ ABSL_GUARDED_BY(mutex_);
  bool lose_answer_ ABSL_GUARDED_BY(mutex_) = false;
  std::string change_first_ ABSL_GUARDED_BY(mutex_);
  int writes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, v1::ApplyResponse> answered_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Log> logs_ ABSL_GUARDED_BY(mutex_);
  int followers_ ABSL_GUARDED_BY(mutex_) = 0;
  v1::StatsResponse stats_ ABSL_GUARDED_BY(mutex_);
  v1::WhyResponse why_ ABSL_GUARDED_BY(mutex_);
  v1::PlanResponse plan_ ABSL_GUARDED_BY(mutex_);
  v1::RebalanceResponse moves_ ABSL_GUARDED_BY(mutex_);
  v1::LogsRequest last_logs_ ABSL_GUARDED_BY(mutex_);
  v1::ExecStart last_exec_ ABSL_GUARDED_BY(mutex_);
  v1::DeleteRequest last_delete_ ABSL_GUARDED_BY(mutex_);
  v1::LoadImageHeader header_ ABSL_GUARDED_BY(mutex_);
  std::string archive_ ABSL_GUARDED_BY(mutex_);
  std::string tar_ ABSL_GUARDED_BY(mutex_);
  std::string taken_tar_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cluster::cli
