// One command in a container, or a container, joined to our standard streams.
#pragma once

#include "absl/status/statusor.h"
#include "cli/session.h"

#include "cluster/v1/api.pb.h"
#include "cluster/v1/pod.pb.h"

namespace cluster::cli {

// Runs it and returns its exit code (128 + n when a signal n told us to end). With start.tty() the
// terminal is raw meanwhile, and its changes of size are passed on. Attached with a terminal,
// Ctrl-P Ctrl-Q ends it with 0.
absl::StatusOr<int> RunExec(Session& session, v1::ExecStart start);

// Joins the container's first process. A terminal needs one on both sides; stderr says which is
// missing.
v1::ExecStart AttachStart(Session& session, const v1::Pod& pod, const std::string& container,
                          bool stdin, bool tty);

}  // namespace cluster::cli
