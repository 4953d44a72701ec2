#include "tests/domain/world.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "controller/cache/packer.h"

namespace cluster::domain {

void World::Put(v1::Object object) {
  const EntryPtr before = view_.Find(Key(object));
  ++revision_;
  view_.Put(
      MakeEntry(std::move(object), revision_, before == nullptr ? revision_ : before->create_rev));
  view_.set_revision(revision_);
}

void World::Remove(const std::string& key) {
  view_.Remove(key);
  view_.set_revision(++revision_);
}

void World::Pack() {
  static thread_local Packer packer;
  const std::vector<KeptEntry> all = view_.Some("", view_.size());
  constexpr size_t kStep = 11;
  for (size_t i = pack_next_++ % kStep; i < all.size(); i += kStep) packer.Pack(all[i]);
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
