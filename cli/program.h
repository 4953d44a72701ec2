// The composition root of clusterctl: global flags and the list of commands.
#pragma once

#include <string>
#include <vector>

#include "cli/session.h"

namespace cluster::cli {

// Runs one command line (without the program's name) and returns the exit code.
int RunProgram(Session& session, std::vector<std::string> arguments);

}  // namespace cluster::cli
