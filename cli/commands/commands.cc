#include "cli/commands/commands.h"

namespace cluster::cli {

void AddCommands(CLI::App& app, Session& session) {
  AddApply(app, session);
  AddCreate(app, session);
  AddGet(app, session);
  AddDescribe(app, session);
  AddEvents(app, session);
  AddDelete(app, session);
  AddTop(app, session);
  AddLogs(app, session);
  AddExec(app, session);
  AddAttach(app, session);
  AddPortForward(app, session);
  AddCp(app, session);
  AddRun(app, session);
  AddDebug(app, session);
  AddWhy(app, session);
  AddPlan(app, session);
  AddDiff(app, session);
  AddRebalance(app, session);
  AddScale(app, session);
  AddAutoscale(app, session);
  AddExpose(app, session);
  AddRollout(app, session);
  AddCordon(app, session);
  AddDrain(app, session);
  AddTaint(app, session);
  AddLabel(app, session);
  AddWait(app, session);
  AddImage(app, session);
  AddApiResources(app, session);
  AddExplain(app, session);
  AddVersion(app, session);
}

}  // namespace cluster::cli
