// The talk with one controller. The only place where a channel and its credentials are made.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "cluster/v1/api.grpc.pb.h"

namespace cluster::cli {

// What every write carries, so that one that is sent again is not applied twice. Random.
std::string NewWriteId();

// Not thread-safe, but for the streams made from stub(), each of which belongs to its caller.
//
// Errors: the controller's own code and sentence. Unavailable and DeadlineExceeded become a
// sentence that says what to try. InvalidArgument keeps the Violations as payload
// kViolationsPayload.
class Client {
 public:
  // `server` is unix:PATH or HOST:PORT. Dials lazily: nothing is sent before the first call.
  explicit Client(std::string server, absl::Duration timeout = absl::Seconds(30));

  const std::string& server() const { return server_; }
  v1::Cluster::Stub& stub() { return *stub_; }

  // Writes. One whose outcome is unknown (no answer came) is sent once more with the same write id.
  absl::StatusOr<v1::ApplyResponse> Apply(v1::ApplyRequest request);
  absl::StatusOr<v1::DeleteResponse> Delete(v1::DeleteRequest request);
  absl::StatusOr<v1::ScaleResponse> Scale(v1::ScaleRequest request);
  absl::StatusOr<v1::RolloutResponse> Rollout(v1::RolloutRequest request);
  absl::StatusOr<v1::UndoResponse> Undo(v1::UndoRequest request);
  absl::StatusOr<v1::CordonResponse> Cordon(v1::CordonRequest request);
  absl::StatusOr<v1::AddEphemeralContainerResponse> AddEphemeralContainer(
      v1::AddEphemeralContainerRequest request);
  absl::StatusOr<v1::EvictResponse> Evict(v1::EvictRequest request);

  absl::StatusOr<v1::Object> Get(const std::string& kind, const std::string& name_space,
                                 const std::string& name);
  // All pages.
  absl::StatusOr<v1::ListResponse> List(const v1::ListRequest& request);
  absl::StatusOr<v1::ListImagesResponse> ListImages();
  absl::StatusOr<v1::StatsResponse> Stats(const v1::StatsRequest& request);
  absl::StatusOr<v1::GetVersionResponse> GetVersion();
  absl::StatusOr<v1::WhyResponse> Why(const v1::WhyRequest& request);
  absl::StatusOr<v1::PlanResponse> Plan(const v1::PlanRequest& request);
  absl::StatusOr<v1::RebalanceResponse> Rebalance(const v1::RebalanceRequest& request);

  // Hands over every change from request.from_revision on, until `consume` returns false, an error
  // comes, or `deadline` passes (DeadlineExceeded). A controller that goes away and comes back
  // costs nothing: the watch resumes where it stood. OutOfRange: that revision is gone, list again.
  absl::Status Watch(v1::WatchRequest request, absl::Time deadline,
                     const std::function<bool(const v1::WatchEvent&)>& consume);

  // The answer of a stream or call as the user should read it.
  absl::Status ToStatus(const grpc::Status& status) const;

 private:
  using Stub = v1::Cluster::Stub;
  template <typename Request, typename Response>
  using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(Method<Request, Response> method, const Request& request);
  template <typename Request, typename Response>
  absl::StatusOr<Response> Write(Method<Request, Response> method, Request request);

  const std::string server_;
  const absl::Duration timeout_;
  std::unique_ptr<Stub> stub_;
};

// Payload of an InvalidArgument status: a serialized v1::Violations.
inline constexpr char kViolationsPayload[] = "cluster.v1.Violations";

// The violations in it; empty when there are none.
v1::Violations ViolationsOf(const absl::Status& status);

}  // namespace cluster::cli
