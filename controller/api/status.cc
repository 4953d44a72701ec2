#include "controller/api/status.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace cluster::controller {

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto details = status.GetPayload(kViolationsUrl);
  return grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()),
                      std::string(status.message()),
                      details.has_value() ? std::string(*details) : std::string());
}

absl::Status InvalidObjects(const std::vector<v1::Violation>& violations) {
  const v1::Violation& first = violations.front();
  std::string message =
      first.field().empty() ? first.message() : absl::StrCat(first.field(), ": ", first.message());
  if (violations.size() > 1) {
    absl::StrAppend(&message, " (and ", violations.size() - 1, " more)");
  }
  absl::Status status = absl::InvalidArgumentError(message);
  v1::Violations details;
  for (const v1::Violation& violation : violations) *details.add_violations() = violation;
  status.SetPayload(kViolationsUrl, absl::Cord(details.SerializeAsString()));
  return status;
}

absl::Status CheckWriteId(const std::string& id) {
  if (id.empty() || id.size() == 16) return absl::OkStatus();
  return absl::InvalidArgumentError("write_id must have 16 bytes");
}

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

}  // namespace cluster::controller
