#include "cli/client.h"

#include <sys/random.h>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include <grpcpp/grpcpp.h>

#include "base/mutex.h"
#include "base/status.h"

namespace cluster::cli {
namespace {

std::shared_ptr<grpc::Channel> Dial(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  // A controller is never behind a web proxy, whatever http_proxy says.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // What GRPC_ARG_MIN_RECONNECT_BACKOFF_MS names is how long one attempt may take, until the
  // controller has answered: it keeps its 20 s, a busy machine needs some of them.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  return grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments);
}

constexpr absl::Duration kResumePause = absl::Milliseconds(100);

// Nothing wakes it: there is no news of the controller but what the next attempt brings.
void Pause(absl::Duration duration) {
  Mutex mutex;
  CondVar never;
  const MutexLock lock(&mutex);
  never.WaitFor(&mutex, duration);
}

bool OutcomeUnknown(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
}

}  // namespace

std::string NewWriteId() {
  std::string id(16, '\0');
  size_t done = 0;
  while (done < id.size()) {
    const ssize_t got = getrandom(id.data() + done, id.size() - done, 0);
    if (got > 0) done += static_cast<size_t>(got);
  }
  return id;
}

Client::Client(std::string server, absl::Duration timeout)
    : server_(std::move(server)), timeout_(timeout), stub_(v1::Cluster::NewStub(Dial(server_))) {}

absl::Status Client::ToStatus(const grpc::Status& status) const {
  if (status.ok()) return absl::OkStatus();
  const std::string& message = status.error_message();
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE &&
      absl::StrContains(message, "failed to connect to all addresses")) {
    return absl::UnavailableError(absl::StrCat("cannot reach the controller at ", server_,
                                               ": is it running? try clusterctl local list"));
  }
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE &&
      (message == "Socket closed" || absl::StrContains(message, "onnection reset"))) {
    return absl::UnavailableError(absl::StrCat("lost the controller at ", server_, ": ", message,
                                               "; try again, or look with clusterctl local list"));
  }
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return absl::DeadlineExceededError(
        absl::StrCat("the controller at ", server_, " did not answer within ",
                     absl::FormatDuration(timeout_), ": try again, or raise --request-timeout"));
  }
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), message);
  v1::Violations violations;
  if (status.error_code() == grpc::StatusCode::INVALID_ARGUMENT &&
      violations.ParseFromString(status.error_details()) && !violations.violations().empty()) {
    result.SetPayload(kViolationsPayload, absl::Cord(status.error_details()));
  }
  return result;
}

v1::Violations ViolationsOf(const absl::Status& status) {
  v1::Violations violations;
  const auto payload = status.GetPayload(kViolationsPayload);
  if (payload.has_value()) violations.ParseFromString(std::string(*payload));
  return violations;
}

template <typename Request, typename Response>
absl::StatusOr<Response> Client::Call(Method<Request, Response> method, const Request& request) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout_));
  Response response;
  RETURN_IF_ERROR(ToStatus((stub_.get()->*method)(&context, request, &response)));
  return response;
}

template <typename Request, typename Response>
absl::StatusOr<Response> Client::Write(Method<Request, Response> method, Request request) {
  request.set_write_id(NewWriteId());
  Response response;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout_));
  grpc::Status status = (stub_.get()->*method)(&context, request, &response);
  if (OutcomeUnknown(status)) {
    grpc::ClientContext again;
    again.set_deadline(absl::ToChronoTime(absl::Now() + timeout_));
    response.Clear();
    status = (stub_.get()->*method)(&again, request, &response);
  }
  RETURN_IF_ERROR(ToStatus(status));
  return response;
}

absl::StatusOr<v1::ApplyResponse> Client::Apply(v1::ApplyRequest request) {
  return Write(&Stub::Apply, std::move(request));
}
absl::StatusOr<v1::DeleteResponse> Client::Delete(v1::DeleteRequest request) {
  return Write(&Stub::Delete, std::move(request));
}
absl::StatusOr<v1::ScaleResponse> Client::Scale(v1::ScaleRequest request) {
  return Write(&Stub::Scale, std::move(request));
}
absl::StatusOr<v1::RolloutResponse> Client::Rollout(v1::RolloutRequest request) {
  return Write(&Stub::Rollout, std::move(request));
}
absl::StatusOr<v1::UndoResponse> Client::Undo(v1::UndoRequest request) {
  return Write(&Stub::Undo, std::move(request));
}
absl::StatusOr<v1::CordonResponse> Client::Cordon(v1::CordonRequest request) {
  return Write(&Stub::Cordon, std::move(request));
}

absl::StatusOr<v1::AddEphemeralContainerResponse> Client::AddEphemeralContainer(
    v1::AddEphemeralContainerRequest request) {
  return Write(&Stub::AddEphemeralContainer, std::move(request));
}

absl::StatusOr<v1::EvictResponse> Client::Evict(v1::EvictRequest request) {
  return Write(&Stub::Evict, std::move(request));
}

absl::StatusOr<v1::Object> Client::Get(const std::string& kind, const std::string& name_space,
                                       const std::string& name) {
  v1::GetRequest request;
  request.set_kind(kind);
  request.set_namespace_(name_space);
  request.set_name(name);
  ASSIGN_OR_RETURN(v1::GetResponse response, Call(&Stub::Get, request));
  return std::move(*response.mutable_object());
}

absl::StatusOr<v1::ListResponse> Client::List(const v1::ListRequest& request) {
  v1::ListRequest page = request;
  v1::ListResponse all;
  do {
    ASSIGN_OR_RETURN(v1::ListResponse response, Call(&Stub::List, page));
    all.mutable_objects()->MergeFrom(response.objects());
    // Watching from the first page's revision sees what changed while the others were read.
    if (page.continue_token().empty()) all.set_revision(response.revision());
    page.set_continue_token(response.continue_token());
  } while (!page.continue_token().empty());
  return all;
}

absl::StatusOr<v1::ListImagesResponse> Client::ListImages() {
  return Call(&Stub::ListImages, v1::ListImagesRequest());
}

absl::StatusOr<v1::StatsResponse> Client::Stats(const v1::StatsRequest& request) {
  return Call(&Stub::Stats, request);
}

absl::StatusOr<v1::GetVersionResponse> Client::GetVersion() {
  return Call(&Stub::GetVersion, v1::GetVersionRequest());
}

absl::StatusOr<v1::WhyResponse> Client::Why(const v1::WhyRequest& request) {
  return Call(&Stub::Why, request);
}

absl::StatusOr<v1::PlanResponse> Client::Plan(const v1::PlanRequest& request) {
  return Call(&Stub::Plan, request);
}

absl::StatusOr<v1::RebalanceResponse> Client::Rebalance(const v1::RebalanceRequest& request) {
  return Call(&Stub::Rebalance, request);
}

absl::Status Client::Watch(v1::WatchRequest request, absl::Time deadline,
                           const std::function<bool(const v1::WatchEvent&)>& consume) {
  request.set_bookmarks(true);
  // A revision was learnt from the controller: it was there, and its absence is something to sit
  // out.
  bool was_connected = request.from_revision() > 0;
  while (true) {
    grpc::ClientContext context;
    if (deadline != absl::InfiniteFuture()) context.set_deadline(absl::ToChronoTime(deadline));
    context.set_wait_for_ready(was_connected);
    const auto reader = stub_->Watch(&context, request);
    v1::WatchEvent event;
    while (reader->Read(&event)) {
      was_connected = true;
      request.set_from_revision(std::max(request.from_revision(), event.revision()));
      if (event.type() == v1::WATCH_EVENT_TYPE_BOOKMARK) continue;
      if (consume(event)) continue;
      context.TryCancel();
      reader->Finish();
      return absl::OkStatus();
    }
    const grpc::Status status = reader->Finish();
    const bool resume =
        was_connected && (status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE);
    if (!resume) return ToStatus(status);
    // A controller that is just starting refuses at once; do not spin on it.
    Pause(kResumePause);
  }
}

}  // namespace cluster::cli
