#include "controller/reconcile/changes.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/container/flat_hash_set.h"

namespace cluster::controller {

void Changes::Create(v1::Object object) {
  std::string key = Key(object);
  MutableMeta(&object)->clear_resource_version();
  writes.push_back({std::move(key), std::move(object), 0});
}

void Changes::Put(const Entry& before, v1::Object object) {
  MutableMeta(&object)->clear_resource_version();
  writes.push_back({before.key, std::move(object), before.mod_rev});
}

void Changes::Delete(const Entry& entry) {
  writes.push_back({entry.key, std::nullopt, entry.mod_rev});
}

void Changes::WakeAt(absl::Time when) { wake_at = std::min(wake_at.value_or(when), when); }

void Changes::Append(Changes more) {
  std::move(more.writes.begin(), more.writes.end(), std::back_inserter(writes));
  std::move(more.events.begin(), more.events.end(), std::back_inserter(events));
  if (more.wake_at.has_value()) WakeAt(*more.wake_at);
}

void Changes::Together(Changes group) {
  for (size_t i = 1; i < group.writes.size(); ++i) group.writes[i].with_previous = true;
  Append(std::move(group));
}

void EraseTogether(const std::function<bool(const Write&)>& drop, std::vector<Write>* writes) {
  std::vector<Write> kept;
  for (size_t begin = 0; begin < writes->size();) {
    size_t end = begin + 1;
    bool dropped = drop((*writes)[begin]);
    for (; end < writes->size() && (*writes)[end].with_previous; ++end) {
      dropped = dropped || drop((*writes)[end]);
    }
    for (size_t i = begin; i < end && !dropped; ++i) kept.push_back(std::move((*writes)[i]));
    begin = end;
  }
  *writes = std::move(kept);
}

void MergeChanges(Changes more, Changes* into) {
  absl::flat_hash_set<std::string> taken;
  for (const Write& write : into->writes) taken.insert(write.key);
  for (size_t begin = 0; begin < more.writes.size();) {
    size_t end = begin + 1;
    while (end < more.writes.size() && more.writes[end].with_previous) ++end;
    const auto first = more.writes.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = more.writes.begin() + static_cast<std::ptrdiff_t>(end);
    const bool free =
        std::none_of(first, last, [&](const Write& write) { return taken.contains(write.key); });
    if (free) {
      for (auto write = first; write != last; ++write) taken.insert(write->key);
      std::move(first, last, std::back_inserter(into->writes));
    }
    begin = end;
  }
  std::move(more.events.begin(), more.events.end(), std::back_inserter(into->events));
  if (more.wake_at.has_value()) into->WakeAt(*more.wake_at);
}

v1::ObjectReference ReferenceTo(const v1::Object& object) {
  const Kind& kind = KindOf(object);
  const v1::ObjectMeta& meta = Meta(object);
  v1::ObjectReference reference;
  reference.set_api_version(kind.api_version);
  reference.set_kind(kind.name);
  reference.set_namespace_(meta.namespace_());
  reference.set_name(meta.name());
  reference.set_uid(meta.uid());
  return reference;
}

EventNote MakeEvent(const v1::Object& involved, absl::string_view type, absl::string_view reason,
                    std::string message, absl::string_view component) {
  EventNote note;
  note.involved = ReferenceTo(involved);
  note.type = std::string(type);
  note.reason = std::string(reason);
  note.message = std::move(message);
  note.component = std::string(component);
  return note;
}

}  // namespace cluster::controller
