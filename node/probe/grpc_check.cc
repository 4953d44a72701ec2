#include "node/probe/grpc_check.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/wrappers.pb.h"
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include "base/mutex.h"
#include "node/probe/stream.h"

namespace cluster::node {
namespace {

constexpr char kMethod[] = "/grpc.health.v1.Health/Check";
constexpr int kServing = 1;

// The two messages have one field each, number 1: a string and an enum, which on the wire are what
// these are.
using CheckRequest = google::protobuf::StringValue;
using CheckResponse = google::protobuf::Int32Value;

std::string StatusName(int status) {
  return status == 0   ? "UNKNOWN"
         : status == 2 ? "NOT_SERVING"
         : status == 3 ? "SERVICE_UNKNOWN"
                       : absl::StrCat(status);
}

}  // namespace

struct GrpcCheck::Call {
  grpc::ClientContext context;
  CheckRequest request;
  CheckResponse response;
  std::unique_ptr<grpc::TemplatedGenericStub<CheckRequest, CheckResponse>> stub;
  Mutex mutex;
  CondVar ended;
  std::optional<grpc::Status> status ABSL_GUARDED_BY(mutex);
};

GrpcCheck::~GrpcCheck() {
  if (call_ == nullptr) return;
  call_->context.TryCancel();
  // Released here and never by gRPC's own thread, which is still inside of the call when it tells
  // of its end. A cancelled call ends at once.
  MutexLock lock(&call_->mutex);
  while (!call_->status.has_value()) call_->ended.Wait(&call_->mutex);
}

void GrpcCheck::Begin(CheckContext& context) {
  call_ = std::make_shared<Call>();
  call_->request.set_value(action_.service);
  grpc::ChannelArguments arguments;
  // Nothing of it stays, and nobody else's connection is used.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetUserAgentPrefix("cluster-probe");
  const bool v6 = action_.host.find(':') != std::string::npos;
  call_->stub = std::make_unique<grpc::TemplatedGenericStub<CheckRequest, CheckResponse>>(
      grpc::CreateCustomChannel(
          absl::StrCat(v6 ? "ipv6:" : "ipv4:", HostPortText(action_.host, action_.port)),
          grpc::InsecureChannelCredentials(), arguments));
  call_->stub->UnaryCall(&call_->context, kMethod, {}, &call_->request, &call_->response,
                         [call = call_.get(), wake = context.Waker()](grpc::Status status) {
                           MutexLock lock(&call->mutex);
                           call->status = std::move(status);
                           call->ended.Signal();
                           wake();
                         });
}

std::optional<ProbeOutcome> GrpcCheck::Step(CheckContext& context) {
  if (call_ == nullptr) Begin(context);
  std::optional<grpc::Status> status;
  {
    MutexLock lock(&call_->mutex);
    status = call_->status;
  }
  if (!status.has_value()) return std::nullopt;
  if (status->error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    return ProbeOutcome{Verdict::kFailure, "the server does not implement grpc.health.v1.Health"};
  }
  if (!status->ok()) {
    return ProbeOutcome{Verdict::kFailure,
                        absl::StrCat("grpc ", HostPortText(action_.host, action_.port), ": ",
                                     status->error_message())};
  }
  if (call_->response.value() == kServing) return ProbeOutcome{Verdict::kSuccess, ""};
  return ProbeOutcome{Verdict::kFailure, absl::StrCat("service unhealthy (responded with \"",
                                                      StatusName(call_->response.value()), "\")")};
}

ProbeOutcome GrpcCheck::Overdue() const {
  return {Verdict::kFailure, absl::StrCat("grpc ", HostPortText(action_.host, action_.port),
                                          ": health check did not complete in time")};
}

}  // namespace cluster::node
