// Moves bytes between a command in a container and the stream of the one who asked for it.
#pragma once

#include "node/runtime/runtime.h"
#include "node/session/dial_back.h"

namespace cluster::node {

// Blocks until the command has ended and its output is given, or the other side is gone (then the
// command is killed). Finishes the stream with the exit code.
void PumpExec(ExecProcess* process, bool tty, DialBackStream* stream);

}  // namespace cluster::node
