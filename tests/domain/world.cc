#include "tests/domain/world.h"

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

bool World::Commit(const controller::Write& write) {
  const EntryPtr now = view_.Find(write.key);
  if ((now == nullptr ? 0 : now->mod_rev) != write.expected) return false;
  if (write.put.has_value()) {
    Put(*write.put);
  } else {
    Remove(write.key);
  }
  return true;
}

std::vector<std::string> World::Commit(const controller::Changes& changes) {
  std::vector<std::string> refused;
  for (const controller::Write& write : changes.writes) {
    if (!Commit(write)) refused.push_back(write.key);
  }
  return refused;
}

}  // namespace cluster::domain
