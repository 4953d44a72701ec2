#include "controller/reconcile/rollout_scaling.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "controller/reconcile/rollout.h"
#include "proto/schema/scalars.h"

namespace cluster::controller {
namespace {

constexpr size_t kNamedPods = 3;

// What counts against the surge: pods that a set has although its size is already lower still run.
int Occupied(const Rollout& rollout) {
  int total = rollout.current.has_value() ? rollout.current->replicas() : 0;
  for (const Revision& revision : rollout.old) {
    total += std::max(revision.replicas(), revision.active);
  }
  return total;
}

bool ResizeCurrent(Rollout* rollout, const RolloutBounds& bounds) {
  Revision& current = *rollout->current;
  const int replicas = rollout->replicas();
  if (current.replicas() == replicas) return false;
  if (current.replicas() > replicas) {
    current.Scale(replicas);
    return true;
  }
  const int room = replicas + bounds.surge - Occupied(*rollout);
  if (room <= 0) return false;
  current.Scale(std::min(current.replicas() + room, replicas));
  return true;
}

// Pods that are not available serve nobody: they can go without counting.
int ShrinkUnhealthy(Rollout* rollout, int most) {
  int shrunk = 0;
  for (Revision& revision : rollout->old) {
    const int unhealthy = revision.replicas() - revision.lasting_available();
    const int by = std::min(unhealthy, most - shrunk);
    if (by <= 0) continue;
    revision.Scale(revision.replicas() - by);
    shrunk += by;
  }
  return shrunk;
}

void ShrinkAvailable(Rollout* rollout, int min_available) {
  int available = 0;
  for (const Revision* revision : rollout->all()) available += revision->lasting_available();
  int most = available - min_available;
  for (Revision& revision : rollout->old) {
    const int by = std::min(revision.replicas(), most);
    if (by <= 0) continue;
    revision.Scale(revision.replicas() - by);
    most -= by;
  }
}

void ShrinkOld(Rollout* rollout, const RolloutBounds& bounds) {
  const Revision& current = *rollout->current;
  const int min_available = rollout->replicas() - bounds.unavailable;
  const int starting = current.replicas() - current.lasting_available();
  const int most = rollout->TotalReplicas() - min_available - starting;
  if (most <= 0) return;
  ShrinkUnhealthy(rollout, most);
  ShrinkAvailable(rollout, min_available);
}

// Largest remainders: the parts add up to `total` exactly.
void Divide(const std::vector<Revision*>& live, int total) {
  int before = 0;
  for (const Revision* revision : live) before += revision->replicas();
  struct Part {
    Revision* revision;
    int64_t remainder;
  };
  std::vector<Part> parts;
  int left = total;
  for (Revision* revision : live) {
    const int64_t share = int64_t{revision->replicas()} * total;
    parts.push_back({revision, share % before});
    revision->Scale(static_cast<int>(share / before));
    left -= revision->replicas();
  }
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Part& a, const Part& b) { return a.remainder > b.remainder; });
  for (size_t i = 0; i < parts.size() && left > 0; ++i, --left) {
    parts[i].revision->Scale(parts[i].revision->replicas() + 1);
  }
}

std::string OldPodsText(const std::vector<const Entry*>& pods) {
  std::string text = absl::StrCat("waiting for ", pods.size(), " old pod(s) to be gone:");
  for (size_t i = 0; i < std::min(pods.size(), kNamedPods); ++i) {
    const v1::Pod& pod = pods[i]->object.pod();
    absl::StrAppend(&text, i == 0 ? " " : ", ", pod.metadata().name());
    if (!pod.spec().node_name().empty()) absl::StrAppend(&text, " on ", pod.spec().node_name());
  }
  if (pods.size() > kNamedPods) {
    absl::StrAppend(&text, " and ", pods.size() - kNamedPods, " more");
  }
  return text;
}

}  // namespace

RolloutBounds BoundsOf(const v1::Deployment& deployment) {
  RolloutBounds bounds;
  const auto& spec = deployment.spec();
  if (spec.strategy().type() == v1::STRATEGY_TYPE_RECREATE) {
    bounds.unavailable = spec.replicas();
    return bounds;
  }
  const auto& update = spec.strategy().rolling_update();
  const auto scaled = [&spec](const std::string& text, Rounding rounding) {
    return ScaleIntOrString(text.empty() ? "25%" : text, spec.replicas(), rounding).value_or(0);
  };
  bounds.surge = scaled(update.max_surge(), Rounding::kUp);
  bounds.unavailable = std::min(scaled(update.max_unavailable(), Rounding::kDown), spec.replicas());
  if (bounds.surge == 0 && bounds.unavailable == 0) bounds.unavailable = 1;
  return bounds;
}

bool IsScaling(Rollout* rollout) {
  const std::string desired = absl::StrCat(rollout->replicas());
  for (const Revision* revision : rollout->all()) {
    if (revision->entry == nullptr || revision->replicas() == 0) continue;
    const auto& annotations = Meta(revision->entry->object).annotations();
    const auto sized = annotations.find(std::string(kDesiredAnnotation));
    if (sized != annotations.end() && sized->second != desired) return true;
  }
  return false;
}

void ScaleInProportion(Rollout* rollout) {
  const int replicas = rollout->replicas();
  std::vector<Revision*> live;
  for (Revision* revision : rollout->all()) {
    if (revision->replicas() > 0) live.push_back(revision);
  }
  if (live.empty()) return;
  if (live.size() == 1) {
    // An old set alone only shrinks: what is new shall have the new template.
    const bool is_current = rollout->current.has_value() && live[0] == &*rollout->current;
    if (is_current || rollout->paused() || live[0]->replicas() > replicas) live[0]->Scale(replicas);
    return;
  }
  if (rollout->spec().spec().strategy().type() == v1::STRATEGY_TYPE_RECREATE) return;
  const int total = replicas == 0 ? 0 : replicas + BoundsOf(rollout->spec()).surge;
  // Those that serve stay as long as there are others.
  int surplus = rollout->TotalReplicas() - total;
  for (Revision* revision : live) {
    const int by = std::min(revision->replicas() - revision->lasting_available(), surplus);
    if (by <= 0) continue;
    revision->Scale(revision->replicas() - by);
    surplus -= by;
  }
  if (rollout->TotalReplicas() != total) Divide(live, total);
}

void ScalePaused(Rollout* rollout) {
  if (rollout->TotalReplicas() > 0) return;
  Revision* newest = rollout->current.has_value() ? &*rollout->current : nullptr;
  for (Revision& revision : rollout->old) {
    if (newest == nullptr ||
        RevisionOf(revision.set().metadata()) > RevisionOf(newest->set().metadata())) {
      newest = &revision;
    }
  }
  if (newest != nullptr) newest->Scale(rollout->replicas());
}

void StepRolling(Rollout* rollout) {
  const RolloutBounds bounds = BoundsOf(rollout->spec());
  if (!ResizeCurrent(rollout, bounds)) ShrinkOld(rollout, bounds);
}

bool StepRecreate(Rollout* rollout) {
  std::vector<const Entry*> left;
  bool sized = true;
  for (Revision& revision : rollout->old) {
    if (revision.replicas() > 0) sized = false;
    revision.Scale(0);
    for (const EntryPtr& pod : revision.present) left.push_back(pod.get());
  }
  if (!left.empty()) rollout->waiting_for = OldPodsText(left);
  return sized && left.empty();
}

}  // namespace cluster::controller
