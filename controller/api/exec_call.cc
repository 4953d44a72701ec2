#include "controller/api/exec_call.h"

#include "base/status.h"
#include "controller/api/lookup.h"

namespace cluster::controller {

absl::StatusOr<ExecCall::Opening> ExecCall::Open(const Cache& cache, const v1::ExecRequest& first) {
  if (!first.has_start()) {
    return absl::InvalidArgumentError("the first message of an exec is start");
  }
  const v1::ExecStart& start = first.start();
  if (start.attach() && !start.command().empty()) {
    return absl::InvalidArgumentError("whoever attaches runs no command: leave it out");
  }
  if (start.command().empty() && !start.attach()) {
    return absl::InvalidArgumentError("there is no command to run: write it after --");
  }
  ASSIGN_OR_RETURN(const PodTarget target,
                   FindPodTarget(cache, start.namespace_(), start.pod(), start.container(),
                                 /*must_run=*/true));
  Opening opening{target.node, {}};
  v1::ExecStart* exec = opening.open.mutable_exec();
  *exec = start;
  exec->set_container(target.container);
  exec->set_namespace_(Meta(target.pod->object).namespace_());
  return opening;
}

std::optional<v1::ControllerFrame> ExecCall::PassUp(v1::ExecRequest* request) {
  v1::ControllerFrame frame;
  if (request->has_stdin()) {
    frame.set_stdin(std::move(*request->mutable_stdin()));
  } else if (request->has_resize()) {
    *frame.mutable_resize() = request->resize();
  } else if (request->stdin_eof()) {
    frame.set_stdin_eof(true);
  } else {
    return std::nullopt;
  }
  return frame;
}

bool ExecCall::PassDown(v1::NodeFrame frame, v1::ExecResponse* response) {
  if (frame.has_stdout()) {
    response->set_stdout(std::move(*frame.mutable_stdout()));
  } else if (frame.has_stderr()) {
    response->set_stderr(std::move(*frame.mutable_stderr()));
  } else if (frame.frame_case() == v1::NodeFrame::kExitCode) {
    response->set_exit_code(frame.exit_code());
    exit_known_ = true;
  } else {
    return false;
  }
  return true;
}

absl::Status ExecCall::WellEnded() const {
  if (exit_known_) return absl::OkStatus();
  return absl::UnavailableError("the stream to the node ended before the command did");
}

}  // namespace cluster::controller
