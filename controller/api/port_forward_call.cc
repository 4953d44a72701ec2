#include "controller/api/port_forward_call.h"

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "controller/api/lookup.h"

namespace cluster::controller {

absl::StatusOr<PortForwardCall::Opening> PortForwardCall::Open(
    const Cache& cache, const v1::PortForwardRequest& first) {
  if (!first.has_start()) {
    return absl::InvalidArgumentError("the first message of a port-forward is start");
  }
  const v1::PortForwardStart& start = first.start();
  if (start.port() < 1 || start.port() > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat(start.port(), " is no port: choose one from 1 to 65535"));
  }
  ASSIGN_OR_RETURN(const PodTarget target, FindRunningPod(cache, start.namespace_(), start.pod()));
  Opening opening{target.node, {}};
  v1::PortForwardStart* forward = opening.open.mutable_port_forward();
  *forward = start;
  forward->set_namespace_(Meta(target.pod->object).namespace_());
  return opening;
}

std::optional<v1::ControllerFrame> PortForwardCall::PassUp(v1::PortForwardRequest* request) {
  v1::ControllerFrame frame;
  if (request->has_data()) {
    frame.set_stdin(std::move(*request->mutable_data()));
  } else if (request->eof()) {
    frame.set_stdin_eof(true);
  } else {
    return std::nullopt;
  }
  return frame;
}

bool PortForwardCall::PassDown(v1::NodeFrame frame, v1::PortForwardResponse* response) {
  if (frame.has_stdout()) {
    response->set_data(std::move(*frame.mutable_stdout()));
  } else if (frame.stdout_eof()) {
    response->set_eof(true);
  } else {
    return false;
  }
  return true;
}

}  // namespace cluster::controller
