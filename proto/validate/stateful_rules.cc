#include <set>
#include <string>

#include "absl/strings/str_cat.h"

#include "proto/validate/difference.h"
#include "proto/validate/name_rules.h"
#include "proto/validate/template_rules.h"
#include "proto/validate/volume_rules.h"
#include "proto/validate/workload_rules.h"

namespace cluster {
namespace {

// A pod's name is the set's and its number, and is a host name and a label too: 63 characters.
constexpr size_t kLongestSetName = 52;

void CheckName(const std::string& name, Findings* findings) {
  const Path path = Path("metadata") / "name";
  if (name.size() > kLongestSetName) {
    findings->Add(path, absl::StrCat(Quote(name),
                                     " leaves no room for the numbers of its pods; use "
                                     "at most ",
                                     kLongestSetName, " characters"));
  } else if (!name.empty()) {
    findings->AddProblem(path, DnsLabelProblem(name));
  }
}

void CheckUpdate(const v1::StatefulSetUpdateStrategy& strategy, Findings* findings) {
  const Path path = Path("spec") / "updateStrategy" / "rollingUpdate";
  if (!strategy.has_rolling_update()) return;
  if (strategy.type() == v1::STATEFUL_SET_STRATEGY_TYPE_ON_DELETE) {
    findings->Add(path,
                  "OnDelete takes no rollingUpdate; remove it, or set the type to RollingUpdate");
    return;
  }
  const v1::StatefulSetRollingUpdate& update = strategy.rolling_update();
  CheckNotNegative(update.partition(), path / "partition", findings);
  CheckPart(update.max_unavailable(), 100, path / "maxUnavailable", findings);
  if (IsNoPart(update.max_unavailable())) {
    findings->Add(path / "maxUnavailable", "0 would keep every pod as it is; use 1 or more");
  }
}

void CheckClaimTemplates(const v1::StatefulSetSpec& spec, Findings* findings) {
  const Path path = Path("spec") / "volumeClaimTemplates";
  std::set<std::string> names;
  for (int i = 0; i < spec.volume_claim_templates_size(); ++i) {
    const v1::PersistentVolumeClaim& claim = spec.volume_claim_templates(i);
    const std::string& name = claim.metadata().name();
    const Path at = path.At(i);
    findings->AddProblem(at / "metadata" / "name", DnsLabelProblem(name));
    if (!names.insert(name).second) {
      findings->Add(at / "metadata" / "name",
                    absl::StrCat("another template is named ", Quote(name), " too; rename one"));
    }
    CheckClaim(claim.spec(), at / "spec", findings);
  }
}

// With the volumes that the set adds for its claims, so that containers may mount them.
v1::PodTemplateSpec WithClaims(const v1::StatefulSetSpec& spec) {
  v1::PodTemplateSpec full = spec.template_();
  for (const v1::PersistentVolumeClaim& claim : spec.volume_claim_templates()) {
    const std::string& name = claim.metadata().name();
    // A bad name is told at its template.
    if (!DnsLabelProblem(name).empty()) continue;
    v1::Volume* volume = nullptr;
    for (v1::Volume& each : *full.mutable_spec()->mutable_volumes()) {
      if (each.name() == name) volume = &each;
    }
    if (volume == nullptr) volume = full.mutable_spec()->add_volumes();
    volume->Clear();
    volume->set_name(name);
    volume->mutable_persistent_volume_claim()->set_claim_name(name);
  }
  return full;
}

}  // namespace

void CheckStatefulSet(const v1::StatefulSet& set, Findings* findings) {
  const Path path("spec");
  const v1::StatefulSetSpec& spec = set.spec();
  CheckName(set.metadata().name(), findings);
  CheckNotNegative(spec.replicas(), path / "replicas", findings);
  CheckClaimTemplates(spec, findings);
  CheckTemplate(WithClaims(spec), path / "template", findings);
  CheckSelectorOf(spec.selector(), spec.template_(), findings);
  if (!spec.service_name().empty()) {
    findings->AddProblem(path / "serviceName", DnsLabelProblem(spec.service_name()));
  }
  CheckUpdate(spec.update_strategy(), findings);
  CheckNotNegative(spec.min_ready_seconds(), path / "minReadySeconds", findings);
  CheckNotNegative(spec.revision_history_limit(), path / "revisionHistoryLimit", findings);
  CheckNotNegative(spec.ordinals().start(), path / "ordinals" / "start", findings);
}

void CheckStatefulSetKept(const v1::StatefulSetSpec& before, const v1::StatefulSetSpec& after,
                          Findings* findings) {
  v1::StatefulSetSpec allowed = after;
  allowed.clear_replicas();
  if (before.has_replicas()) allowed.set_replicas(before.replicas());
  *allowed.mutable_template_() = before.template_();
  *allowed.mutable_update_strategy() = before.update_strategy();
  allowed.set_revision_history_limit(before.revision_history_limit());
  allowed.set_min_ready_seconds(before.min_ready_seconds());
  *allowed.mutable_persistent_volume_claim_retention_policy() =
      before.persistent_volume_claim_retention_policy();
  *allowed.mutable_ordinals() = before.ordinals();
  v1::StatefulSetSpec plain = before;
  plain.mutable_ordinals();
  plain.set_revision_history_limit(before.revision_history_limit());
  const std::string field = FirstDifference(plain, allowed);
  if (field.empty()) return;
  findings->Add(
      Path("spec") / field,
      "updates to statefulset spec for fields other than 'replicas', 'ordinals', "
      "'template', 'updateStrategy', 'revisionHistoryLimit', "
      "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden; delete "
      "the set with --cascade=orphan and create it anew to keep its pods");
}

}  // namespace cluster
