#include "controller/scheduler/cluster_state.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "controller/object/claims.h"
#include "controller/reconcile/pod_state.h"
#include "controller/scheduler/image_worth.h"
#include "controller/scheduler/placement.h"
#include "proto/schema/stable_bytes.h"

namespace cluster::controller {
namespace {

bool SameLabels(const v1::ObjectMeta& a, const v1::ObjectMeta& b) {
  if (a.labels_size() != b.labels_size()) return false;
  return std::all_of(a.labels().begin(), a.labels().end(), [&b](const auto& label) {
    const auto other = b.labels().find(label.first);
    return other != b.labels().end() && other->second == label.second;
  });
}

bool SameTaints(const v1::NodeSpec& a, const v1::NodeSpec& b) {
  if (a.unschedulable() != b.unschedulable() || a.taints_size() != b.taints_size()) return false;
  for (int i = 0; i < a.taints_size(); ++i) {
    if (StableBytes(a.taints(i)) != StableBytes(b.taints(i))) return false;
  }
  return true;
}

bool SameImages(const v1::Node& a, const v1::Node& b) {
  if (a.status().images_size() != b.status().images_size()) return false;
  for (int i = 0; i < a.status().images_size(); ++i) {
    if (StableBytes(a.status().images(i)) != StableBytes(b.status().images(i))) return false;
  }
  return true;
}

bool DependsOnTaints(const v1::PodSpec& spec) {
  const auto& constraints = spec.topology_spread_constraints();
  return std::any_of(constraints.begin(), constraints.end(), [](const auto& each) {
    return each.node_taints_policy() == v1::NODE_INCLUSION_POLICY_HONOR;
  });
}

bool HasResized(const v1::PodStatus& status) {
  for (const auto* statuses : {&status.container_statuses(), &status.init_container_statuses()}) {
    for (const v1::ContainerStatus& each : *statuses) {
      if (each.has_resources()) return true;
    }
  }
  return false;
}

}  // namespace

QueueKey QueueKeyOf(const Entry& pod) {
  const v1::Pod& waiting = pod.object.pod();
  const auto& created = waiting.metadata().creation_timestamp();
  return {-int64_t{waiting.spec().priority()}, waiting.status().nominated_node_name().empty(),
          created.seconds(), created.nanos(), pod.key};
}

ClusterState::~ClusterState() = default;

void ClusterState::ForgetAll() {
  queue_.clear();
  pods_on_.clear();
  guests_.clear();
  pods_.clear();
  shapes_.clear();
  nodes_.clear();
  node_ids_.clear();
  owners_.clear();
  priorities_.clear();
  images_.clear();
  taint_sensitive_ = 0;
  improved_ = {improved_.end() + 1, {}};
  filled_ = {filled_.end() + 1, {}};
  ++images_version_;
}

void ClusterState::Reset(const View& view) {
  ForgetAll();
  TermIndex::LabelsOfNodes labels;
  for (const auto& [key, entry] : view.All(v1::Object::kNode)) {
    node_ids_[entry->object.node().metadata().name()] = static_cast<int>(nodes_.size());
    nodes_.push_back(UsageOf(entry));
    labels.push_back(&entry->object.node().metadata().labels());
    CountImages(entry->object.node(), 1);
  }
  pods_on_.resize(nodes_.size());
  TermIndex::LabelsOfNamespaces namespaces;
  for (const auto& [key, entry] : view.All(v1::Object::kNamespace)) {
    const v1::ObjectMeta& meta = Meta(entry->object);
    namespaces[meta.name()] = meta.labels();
  }
  terms_ = TermIndex(std::move(labels), std::move(namespaces));
  for (const auto& [key, entry] : view.All(v1::Object::kPod)) AddPod(entry);
  stale_ = false;
}

void ClusterState::Note(const EntryPtr& before, const EntryPtr& after) {
  if (stale_) return;
  const v1::Object& object = (after == nullptr ? before : after)->object;
  if (object.has_pod()) return NotePod(before, after);
  if (object.has_node()) return NoteNode(before, after);
  if (object.has_namespace_()) return NoteNamespace(before, after);
}

void ClusterState::Sync(const View& view) {
  if (stale_) Reset(view);
}

void ClusterState::NoteNamespace(const EntryPtr& before, const EntryPtr& after) {
  if (before != nullptr && after != nullptr &&
      SameLabels(Meta(before->object), Meta(after->object))) {
    return;
  }
  stale_ = stale_ || terms_.selects_namespaces();
  terms_.SetNamespace(Meta((after == nullptr ? before : after)->object).name(),
                      after == nullptr ? nullptr : &Meta(after->object).labels());
}

void ClusterState::NoteNode(const EntryPtr& before, const EntryPtr& after) {
  if (before == nullptr || after == nullptr ||
      !SameLabels(Meta(before->object), Meta(after->object))) {
    stale_ = true;
    return;
  }
  const v1::Node& old = before->object.node();
  const v1::Node& now = after->object.node();
  if (taint_sensitive_ > 0 && !SameTaints(old.spec(), now.spec())) {
    stale_ = true;
    return;
  }
  const int id = NodeNamed(now.metadata().name());
  if (id == kNowhere) {
    stale_ = true;
    return;
  }
  if (!SameImages(old, now)) {
    CountImages(old, -1);
    CountImages(now, 1);
    ++images_version_;
  }
  // The index points at labels of the entry: it must have those that live on.
  terms_.ReplaceNode(id, &now.metadata().labels());
  nodes_[static_cast<size_t>(id)].Replace(after);
  Append(id, &improved_);
}

bool ClusterState::IsSamePlace(const PodRecord& record, const v1::Pod& pod) const {
  const EntryPtr before = record.entry.Hold();
  const v1::Pod& old = before->object.pod();
  if (old.spec().node_name() != pod.spec().node_name() || IsFinished(pod) ||
      record.ending != IsTerminating(pod) || record.own_request != nullptr ||
      HasResized(pod.status()) || !SameLabels(old.metadata(), pod.metadata())) {
    return false;
  }
  return ShapeIdentity(pod) == record.shape->identity;
}

void ClusterState::NotePod(const EntryPtr& before, const EntryPtr& after) {
  if (before != nullptr && after != nullptr) {
    PodRecord* known = Find(after->key);
    if (known != nullptr && IsSamePlace(*known, after->object.pod()) &&
        QueueKeyOf(*known->entry.Hold()) == QueueKeyOf(*after)) {
      known->entry = after;
      return;
    }
  }
  if (before != nullptr) RemovePod(before->key);
  if (after != nullptr) AddPod(after);
}

PodRecord* ClusterState::Find(const std::string& pod_key) const {
  const auto found = pods_.find(pod_key);
  return found == pods_.end() ? nullptr : found->get();
}

int ClusterState::NodeNamed(const std::string& name) const {
  const auto found = node_ids_.find(name);
  return found == node_ids_.end() ? kNowhere : found->second;
}

void ClusterState::FillRecord(const EntryPtr& entry, PodRecord* record) {
  const v1::Pod& pod = entry->object.pod();
  record->entry = entry;
  record->shape = AcquireShape(entry);
  record->ending = IsTerminating(pod);
  record->group =
      terms_.AcquireGroup(pod.metadata().namespace_(), pod.metadata().labels(), record->ending);
  if (!HasResized(pod.status())) return;
  record->own_request = std::make_unique<PodRequest>(RequestOf(pod.spec(), &pod.status()));
}

void ClusterState::AddPod(const EntryPtr& entry) {
  const v1::Pod& pod = entry->object.pod();
  if (IsFinished(pod) || (!IsBound(pod) && !IsActive(pod))) return;
  const int node = IsBound(pod) ? NodeNamed(pod.spec().node_name()) : kNowhere;
  // One that is bound to a node that is not there yet: the node's coming computes all anew.
  if (IsBound(pod) && node == kNowhere) return;
  auto record = std::make_unique<PodRecord>();
  FillRecord(entry, record.get());
  if (node != kNowhere) {
    Occupy(record.get(), node);
  } else {
    record->waiting = true;
    queue_.emplace(QueueKeyOf(*entry), record.get());
  }
  pods_.insert(std::move(record));
}

void ClusterState::RemovePod(const std::string& key) {
  const auto found = pods_.find(key);
  if (found == pods_.end()) return;
  PodRecord* record = found->get();
  if (record->waiting) queue_.erase(QueueKeyOf(*record->entry.Hold()));
  if (record->node != kNowhere) Vacate(record);
  terms_.ReleaseGroup(record->group);
  ReleaseShape(record->shape);
  pods_.erase(found);
}

PodRecord* ClusterState::Guest(const EntryPtr& pod) {
  guests_.push_back(std::make_unique<PodRecord>());
  FillRecord(pod, guests_.back().get());
  return guests_.back().get();
}

void ClusterState::Place(PodRecord* pod, int node) { Occupy(pod, node); }
void ClusterState::Displace(PodRecord* pod) { Vacate(pod); }

void ClusterState::SetLeaving(PodRecord* pod, bool leaving) {
  pod->leaving = leaving;
  ++leaving_version_;
  ++nodes_[static_cast<size_t>(pod->node)].version;
  Append(pod->node, &improved_);
}

void ClusterState::Occupy(PodRecord* record, int node) {
  record->node = node;
  const auto at = static_cast<size_t>(node);
  nodes_[at].Add(record->request(), record->counted_owner());
  pods_on_[at].push_back(record);
  ++priorities_[record->shape->priority];
  CountTerms(*record, node, 1);
  Append(node, &filled_);
}

void ClusterState::Vacate(PodRecord* record) {
  const int node = record->node;
  const auto at = static_cast<size_t>(node);
  nodes_[at].Remove(record->request(), record->counted_owner());
  std::vector<PodRecord*>& there = pods_on_[at];
  *std::find(there.begin(), there.end(), record) = there.back();
  there.pop_back();
  const auto count = priorities_.find(record->shape->priority);
  if (--count->second == 0) priorities_.erase(count);
  CountTerms(*record, node, -1);
  record->node = kNowhere;
  Append(node, &improved_);
}

void ClusterState::CountTerms(const PodRecord& record, int node, int delta) {
  terms_.Count(record.group, node, delta);
  const PodShape& shape = *record.shape;
  for (const TermId each : shape.anti) terms_.Hold(each, node, delta);
  // Where a pod must be with others, they are better off with it too: Kubernetes' weight.
  for (const TermId each : shape.affinity) terms_.Pull(each, node, delta);
  for (const WeightedTerm& each : shape.preferred)
    terms_.Pull(each.term, node, delta * each.weight);
}

void ClusterState::Append(int node, Log* log) {
  if (log->nodes.size() > 4 * nodes_.size() + 1024) *log = {log->end(), {}};
  log->nodes.push_back(node);
}

PodShape* ClusterState::AcquireShape(const EntryPtr& entry) {
  auto& shape = shapes_[ShapeIdentity(entry->object.pod())];
  if (shape == nullptr) {
    shape = std::make_unique<PodShape>();
    FillShape(entry, shape.get());
  }
  ++shape->uses;
  return shape.get();
}

void ClusterState::FillShape(const EntryPtr& entry, PodShape* shape) {
  const v1::Pod& pod = entry->object.pod();
  shape->identity = ShapeIdentity(pod);
  shape->sample = entry;
  shape->request = RequestOf(pod.spec());
  if (const v1::OwnerReference* owner = ControllerOf(pod.metadata()); owner != nullptr) {
    OwnerUse& use = owners_[owner->uid()];
    if (use.shapes++ == 0) use.id = ++last_owner_;
    shape->owner = use.id;
  }
  shape->group = terms_.AcquireGroup(pod.metadata().namespace_(), pod.metadata().labels(), false);
  shape->priority = pod.spec().priority();
  shape->preempts = pod.spec().preemption_policy() != v1::PREEMPTION_POLICY_NEVER;
  shape->claims = ClaimKeysOf(pod);
  for (const v1::Container& container : pod.spec().containers()) {
    shape->images.push_back(ListedImageName(container.image()));
  }
  AcquireTerms(pod, nodes_, &terms_, shape);
  if (DependsOnTaints(pod.spec())) ++taint_sensitive_;
}

void ClusterState::ReleaseShape(PodShape* shape) {
  if (--shape->uses > 0) return;
  if (DependsOnTaints(shape->spec())) --taint_sensitive_;
  ReleaseTerms(*shape, &terms_);
  if (shape->owner != 0) {
    const auto use = owners_.find(ControllerOf(shape->sample->object.pod().metadata())->uid());
    if (--use->second.shapes == 0) owners_.erase(use);
  }
  terms_.ReleaseGroup(shape->group);
  // `shape` goes with it, so the key must be another string.
  const std::string identity = shape->identity;
  shapes_.erase(identity);
}

void ClusterState::CountImages(const v1::Node& node, int delta) {
  for (const v1::ContainerImage& image : node.status().images()) {
    for (const std::string& name : image.names()) images_[name] += delta;
  }
}

int64_t ClusterState::ImageWorth(int node, const std::string& image) const {
  const auto use = images_.find(image);
  if (use == images_.end() || use->second == 0) return 0;
  return WorthOf(nodes_[static_cast<size_t>(node)].node(), image, use->second,
                 static_cast<int>(nodes_.size()));
}

}  // namespace cluster::controller
