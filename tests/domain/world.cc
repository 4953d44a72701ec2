#include "tests/domain/world.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cluster::domain {

EntryPtr MakeEntry(v1::Object object, store::Rev create_rev, store::Rev mod_rev) {
  auto entry = std::make_shared<Entry>();
  entry->key = Key(object);
  MutableMeta(&object)->set_resource_version(absl::StrCat(mod_rev));
  entry->object = std::move(object);
  entry->create_rev = create_rev;
  entry->mod_rev = mod_rev;
  return entry;
}

void World::Put(v1::Object object) {
  const EntryPtr before = view_.Find(Key(object));
  ++revision_;
  view_.Put(
      MakeEntry(std::move(object), before == nullptr ? revision_ : before->create_rev, revision_));
  view_.set_revision(revision_);
}

void World::Remove(const std::string& key) {
  view_.Remove(key);
  view_.set_revision(++revision_);
}

bool World::Holds(const controller::Write& write) const {
  const EntryPtr now = view_.Find(write.key);
  return (now == nullptr ? 0 : now->mod_rev) == write.expected;
}

bool World::Commit(const controller::Write& write) {
  if (!Holds(write)) return false;
  if (write.put.has_value()) {
    Put(*write.put);
  } else {
    Remove(write.key);
  }
  return true;
}

std::vector<std::string> World::Commit(const controller::Changes& changes) {
  std::vector<std::string> refused;
  for (size_t begin = 0; begin < changes.writes.size();) {
    size_t end = begin + 1;
    while (end < changes.writes.size() && changes.writes[end].with_previous) ++end;
    const bool all = std::all_of(changes.writes.begin() + static_cast<std::ptrdiff_t>(begin),
                                 changes.writes.begin() + static_cast<std::ptrdiff_t>(end),
                                 [this](const controller::Write& each) { return Holds(each); });
    for (; begin < end; ++begin) {
      if (!all || !Commit(changes.writes[begin])) refused.push_back(changes.writes[begin].key);
    }
  }
  return refused;
}

}  // namespace cluster::domain
