// `clusterctl local ...`
#pragma once

#include "cli/session.h"

namespace cluster::cli {

void AddLocalCommands(CLI::App& app, Session& session);

}  // namespace cluster::cli
