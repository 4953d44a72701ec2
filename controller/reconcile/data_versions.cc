#include "controller/reconcile/data_versions.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "controller/object/references.h"
#include "controller/reconcile/conditions.h"
#include "controller/reconcile/revisions.h"
#include "proto/schema/stable_bytes.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kAbsent = "-";
constexpr absl::string_view kItself = "~";

std::string NameOfKey(absl::string_view key) { return std::string(key.substr(key.rfind('/') + 1)); }
absl::string_view PrefixOfKey(absl::string_view key) { return key.substr(0, key.rfind('/') + 1); }

std::string Annotation(const v1::ObjectMeta& meta, absl::string_view name) {
  const auto found = meta.annotations().find(std::string(name));
  return found == meta.annotations().end() ? "" : found->second;
}

absl::string_view CopyIn(absl::string_view value) {
  absl::ConsumePrefix(&value, kItself);
  return value == kAbsent ? "" : value;
}

// The data alone.
v1::Object ContentOf(const v1::Object& object) {
  v1::Object content;
  if (object.has_config_map()) {
    *content.mutable_config_map()->mutable_data() = object.config_map().data();
    *content.mutable_config_map()->mutable_binary_data() = object.config_map().binary_data();
  } else {
    *content.mutable_secret()->mutable_data() = object.secret().data();
    content.mutable_secret()->set_type(object.secret().type());
  }
  return content;
}

bool IsCopy(const v1::Object& object) {
  const auto label = Meta(object).labels().find(std::string(kCopyLabel));
  return label != Meta(object).labels().end() && label->second == "true";
}

// True where nothing has been written to it since the copy was made: no need to compare.
bool IsUntouched(const View& view, const Entry& entry, absl::string_view copy_name) {
  if (copy_name.empty()) return false;
  const EntryPtr copy = view.Find(absl::StrCat(PrefixOfKey(entry.key), copy_name));
  return copy != nullptr &&
         Annotation(Meta(copy->object), kCopiedVersionAnnotation) == absl::StrCat(entry.mod_rev);
}

// The name that a copy of it has, or would have.
std::string CopyNameOf(const View& view, const Entry& entry) {
  const std::string bytes = StableBytes(ContentOf(entry.object));
  for (uint64_t salt = 0;; ++salt) {
    std::string name = JoinName(Meta(entry.object).name(), ContentHash(bytes, salt));
    const EntryPtr there = view.Find(absl::StrCat(PrefixOfKey(entry.key), name));
    if (there == nullptr) return name;
    if (IsCopy(there->object) && StableBytes(ContentOf(there->object)) == bytes) return name;
  }
}

v1::Object CopyOf(const Entry& entry, std::string name, absl::Time now, Random* random) {
  const v1::Object& original = entry.object;
  v1::Object copy = ContentOf(original);
  if (copy.has_config_map()) {
    copy.mutable_config_map()->set_immutable(true);
    copy.mutable_config_map()->set_api_version("v1");
    copy.mutable_config_map()->set_kind("ConfigMap");
  } else {
    copy.mutable_secret()->set_immutable(true);
    copy.mutable_secret()->set_api_version("v1");
    copy.mutable_secret()->set_kind("Secret");
  }
  v1::ObjectMeta* meta = MutableMeta(&copy);
  meta->set_name(std::move(name));
  meta->set_namespace_(Meta(original).namespace_());
  meta->set_uid(RandomUid(random));
  meta->set_generation(1);
  *meta->mutable_creation_timestamp() = Seconds(now);
  (*meta->mutable_labels())[std::string(kCopyLabel)] = "true";
  auto& annotations = *meta->mutable_annotations();
  annotations[std::string(kCopyOfAnnotation)] = Meta(original).name();
  annotations[std::string(kCopiedVersionAnnotation)] = absl::StrCat(entry.mod_rev);
  return copy;
}

// Pods that were made with `have` are as those of the plan would be.
bool HasData(const DataVersions& have, const DataPlan& plan) {
  for (const auto& [key, name] : plan.data.names) {
    const auto found = have.names.find(key);
    const std::string has = found == have.names.end() ? "" : found->second;
    if (has == name) continue;
    // That is not the data there is now: only copies will do.
    if (plan.pinned) return false;
    // Used itself, and nothing has changed since it was first looked at.
    if (!has.empty() && has != absl::StrCat(kItself, name)) return false;
  }
  return true;
}

// What is noted and still holds; empty: nothing.
DataVersions PinnedData(const Workload& workload, const DataVersions& live) {
  const std::string text = Annotation(workload.meta, kPinAnnotation);
  const std::vector<std::string> parts = absl::StrSplit(text, '|');
  int64_t newest = 0;
  if (parts.size() != 4 || !absl::SimpleAtoi(parts[0], &newest) || workload.newest > newest ||
      parts[1] != TemplateHash(workload.pods) || parts[3] != live.Text()) {
    return {};
  }
  return DataVersions::Parse(parts[2]);
}

void AddUsed(const v1::Object& revision, absl::flat_hash_set<std::string>* used) {
  if (!revision.has_replica_set() && !revision.has_controller_revision()) return;
  for (const auto& [key, value] : DataOf(Meta(revision)).names) {
    if (!CopyIn(value).empty()) used->insert(absl::StrCat(PrefixOfKey(key), CopyIn(value)));
  }
}

bool IsUsedByAPod(const View& view, const Entry& copy) {
  const std::string prefix = absl::StrCat("pods/", Meta(copy.object).namespace_(), "/");
  for (const auto& [key, entry] : view.All(v1::Object::kPod).Under(prefix)) {
    const v1::Pod& pod = entry->object.pod();
    if (DataReferences(pod.spec(), pod.metadata().namespace_()).contains(copy.key)) return true;
  }
  return false;
}

}  // namespace

std::string DataVersions::Text() const {
  return absl::StrJoin(names, " ", [](std::string* text, const auto& each) {
    absl::StrAppend(text, each.first, "=", each.second);
  });
}

DataVersions DataVersions::Parse(absl::string_view text) {
  DataVersions data;
  for (const absl::string_view part : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> each = absl::StrSplit(part, absl::MaxSplits('=', 1));
    data.names.insert(each);
  }
  return data;
}

DataVersions DataOf(const v1::ObjectMeta& revision) {
  return DataVersions::Parse(Annotation(revision, kDataAnnotation));
}

bool RollsOnData(const v1::ObjectMeta& workload) {
  return Annotation(workload, kRollOnDataAnnotation) != "false";
}

DataVersions LiveData(const View& view, const Workload& workload) {
  DataVersions data;
  for (const auto& [key, optional] :
       DataReferences(workload.pods.spec(), workload.meta.namespace_())) {
    std::string& name = data.names[key];
    const EntryPtr entry = view.Find(key);
    const auto known = workload.held.names.find(key);
    const std::string before(known == workload.held.names.end() ? "" : CopyIn(known->second));
    if (entry != nullptr) {
      name = IsUntouched(view, *entry, before) ? before : CopyNameOf(view, *entry);
    } else if (optional) {
      name = std::string(kAbsent);
    } else {
      name = before;
    }
  }
  return data;
}

DataPlan PlanData(const View& view, const Workload& workload) {
  DataPlan plan;
  plan.on = RollsOnData(workload.meta);
  if (!plan.on) return plan;
  plan.data = LiveData(view, workload);
  DataVersions pin = PinnedData(workload, plan.data);
  plan.pinned = !pin.empty();
  if (plan.pinned) plan.data = std::move(pin);
  return plan;
}

bool IsWanted(const v1::ObjectMeta& revision, const v1::PodTemplateSpec& pods,
              const Workload& workload, const DataPlan& plan) {
  if (!plan.on) return SameTemplate(pods, workload.pods);
  const DataVersions data = DataOf(revision);
  return HasData(data, plan) &&
         SameTemplate(WithoutCopies(pods, revision.namespace_(), data), workload.pods);
}

void NoteData(const DataPlan& plan, bool created, v1::ObjectMeta* revision) {
  if (plan.data.empty()) return;
  const DataVersions before = DataOf(*revision);
  DataVersions after = plan.data;
  for (auto& [key, name] : after.names) {
    const auto known = before.names.find(key);
    const bool a_copy = created || (known != before.names.end() && known->second == name);
    if (!a_copy && !name.empty() && name != kAbsent) name = absl::StrCat(kItself, name);
  }
  (*revision->mutable_annotations())[std::string(kDataAnnotation)] = after.Text();
}

v1::PodTemplateSpec WithCopies(v1::PodTemplateSpec pods, absl::string_view name_space,
                               const DataVersions& data) {
  if (data.empty()) return pods;
  RenameDataReferences(
      name_space,
      [&data](const std::string& key) {
        const auto found = data.names.find(key);
        return found == data.names.end() ? std::string() : std::string(CopyIn(found->second));
      },
      pods.mutable_spec());
  return pods;
}

v1::PodTemplateSpec WithoutCopies(v1::PodTemplateSpec pods, absl::string_view name_space,
                                  const DataVersions& data) {
  std::map<std::string, std::string> originals;  // by key of the copy
  for (const auto& [key, value] : data.names) {
    if (CopyIn(value).empty()) continue;
    originals[absl::StrCat(PrefixOfKey(key), CopyIn(value))] = NameOfKey(key);
  }
  if (originals.empty()) return pods;
  RenameDataReferences(
      name_space,
      [&originals](const std::string& key) {
        const auto found = originals.find(key);
        return found == originals.end() ? std::string() : found->second;
      },
      pods.mutable_spec());
  return pods;
}

void MakeCopies(const View& view, const DataVersions& data, absl::Time now, Random* random,
                Changes* changes) {
  for (const auto& [key, value] : data.names) {
    const std::string name(CopyIn(value));
    if (name.empty() || view.Find(absl::StrCat(PrefixOfKey(key), name)) != nullptr) continue;
    const EntryPtr original = view.Find(key);
    if (original == nullptr || CopyNameOf(view, *original) != name) continue;
    changes->Create(CopyOf(*original, name, now, random));
  }
}

void PinData(const View& view, const DataVersions& data, const Workload& workload,
             v1::ObjectMeta* meta) {
  DataVersions copies;
  for (const auto& [key, value] : data.names) {
    copies.names[key] = value == kAbsent ? value : std::string(CopyIn(value));
  }
  const std::string text = copies.Text();
  const std::string live = LiveData(view, workload).Text();
  auto& annotations = *meta->mutable_annotations();
  if (text == live) {
    annotations.erase(std::string(kPinAnnotation));
  } else {
    // The revision that is returned to gets the next number. With one more it is over.
    annotations[std::string(kPinAnnotation)] =
        absl::StrCat(workload.newest + 1, "|", TemplateHash(workload.pods), "|", text, "|", live);
  }
}

absl::Status CheckCopies(const View& view, const v1::ObjectMeta& revision,
                         const v1::PodTemplateSpec& pods, int64_t number) {
  const std::string& name_space = revision.namespace_();
  const v1::PodTemplateSpec needed = WithCopies(pods, name_space, DataOf(revision));
  for (const auto& [key, optional] : DataReferences(needed.spec(), name_space)) {
    if (optional || view.Find(key) != nullptr) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("the data of revision ", number, " is not kept any more: ", key, " is gone"));
  }
  return absl::OkStatus();
}

Changes ReconcileCopies(const View& view, const Changes& changes) {
  std::vector<EntryPtr> copies = view.WithLabel(v1::Object::kConfigMap, kCopyLabel, "true");
  for (EntryPtr& each : view.WithLabel(v1::Object::kSecret, kCopyLabel, "true")) {
    copies.push_back(std::move(each));
  }
  Changes deletions;
  if (copies.empty()) return deletions;
  absl::flat_hash_set<std::string> used;
  for (const auto kind : {v1::Object::kReplicaSet, v1::Object::kControllerRevision}) {
    for (const auto& [key, entry] : view.All(kind)) AddUsed(entry->object, &used);
  }
  for (const Write& write : changes.writes) {
    if (write.put.has_value()) AddUsed(*write.put, &used);
  }
  for (const EntryPtr& copy : copies) {
    if (!used.contains(copy->key) && !IsUsedByAPod(view, *copy)) deletions.Delete(*copy);
  }
  return deletions;
}

}  // namespace cluster::controller
