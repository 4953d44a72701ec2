// Every command, one file each. AddX registers the subcommand and what it does.
#pragma once

#include "cli/session.h"

namespace cluster::cli {

void AddApply(CLI::App& app, Session& session);
// create job
void AddCreate(CLI::App& app, Session& session);
void AddGet(CLI::App& app, Session& session);
void AddDescribe(CLI::App& app, Session& session);
void AddEvents(CLI::App& app, Session& session);
void AddDelete(CLI::App& app, Session& session);
// top pods and top nodes
void AddTop(CLI::App& app, Session& session);
void AddLogs(CLI::App& app, Session& session);
void AddExec(CLI::App& app, Session& session);
void AddAttach(CLI::App& app, Session& session);
void AddPortForward(CLI::App& app, Session& session);
void AddCp(CLI::App& app, Session& session);
void AddRun(CLI::App& app, Session& session);
void AddDebug(CLI::App& app, Session& session);
// Why a pod is where it is, or nowhere.
void AddWhy(CLI::App& app, Session& session);
void AddPlan(CLI::App& app, Session& session);
void AddRebalance(CLI::App& app, Session& session);
// What an apply would change, line by line.
void AddDiff(CLI::App& app, Session& session);
void AddScale(CLI::App& app, Session& session);
void AddAutoscale(CLI::App& app, Session& session);
// A service for what is there.
void AddExpose(CLI::App& app, Session& session);
void AddRollout(CLI::App& app, Session& session);
// cordon and uncordon
void AddCordon(CLI::App& app, Session& session);
void AddDrain(CLI::App& app, Session& session);
void AddTaint(CLI::App& app, Session& session);
// label and annotate
void AddLabel(CLI::App& app, Session& session);
// What the fields of a kind mean.
void AddExplain(CLI::App& app, Session& session);
void AddWait(CLI::App& app, Session& session);
void AddImage(CLI::App& app, Session& session);
void AddApiResources(CLI::App& app, Session& session);
void AddVersion(CLI::App& app, Session& session);

// All of the above, in the order in which the help lists them.
void AddCommands(CLI::App& app, Session& session);

}  // namespace cluster::cli
