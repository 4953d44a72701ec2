#include "proto/validate/template_rules.h"
#include "proto/validate/workload_rules.h"

namespace cluster {
namespace {

void CheckUpdate(const v1::DaemonSetUpdateStrategy& strategy, Findings* findings) {
  const Path path = Path("spec") / "updateStrategy" / "rollingUpdate";
  if (!strategy.has_rolling_update()) return;
  if (strategy.type() == v1::DAEMON_SET_STRATEGY_TYPE_ON_DELETE) {
    findings->Add(path,
                  "OnDelete takes no rollingUpdate; remove it, or set the type to RollingUpdate");
    return;
  }
  const v1::RollingUpdate& update = strategy.rolling_update();
  CheckPart(update.max_unavailable(), 100, path / "maxUnavailable", findings);
  CheckPart(update.max_surge(), 100, path / "maxSurge", findings);
  const bool surges = !IsNoPart(update.max_surge());
  if (surges && !IsNoPart(update.max_unavailable())) {
    findings->Add(path / "maxSurge",
                  "a node gets its new pod before or after the old one is gone, not both; set "
                  "maxUnavailable to 0 to use maxSurge");
  } else if (!surges && IsNoPart(update.max_unavailable())) {
    findings->Add(path / "maxUnavailable",
                  "maxSurge and maxUnavailable are both 0, so no pod could ever be replaced; raise "
                  "one of them");
  }
}

}  // namespace

void CheckDaemonSet(const v1::DaemonSetSpec& spec, Findings* findings) {
  const Path path("spec");
  CheckTemplate(spec.template_(), path / "template", findings);
  CheckSelectorOf(spec.selector(), spec.template_(), findings);
  CheckUpdate(spec.update_strategy(), findings);
  CheckNotNegative(spec.min_ready_seconds(), path / "minReadySeconds", findings);
  CheckNotNegative(spec.revision_history_limit(), path / "revisionHistoryLimit", findings);
}

}  // namespace cluster
