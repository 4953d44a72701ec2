#include "tests/sim/truth.h"

#include "absl/strings/str_cat.h"

namespace cluster::sim {

void Truth::OnBatch(const store::Batch& batch) {
  Commit commit;
  commit.rev = batch.rev;
  for (const store::Event& event : batch.events) {
    commit.write_id = event.kv.write_id;
    if (KindOfKey(event.kv.key) == nullptr) {
      commit.others.insert(event.kv.key);
      continue;
    }
    Change change;
    change.before = view_.Find(event.kv.key);
    if (event.kind == store::Event::Kind::kPut) {
      const auto entry = ParseEntry(event.kv);
      if (!entry.ok()) return fail_(absl::StrCat(event.kv.key, ": ", entry.status().ToString()));
      change.after = *entry;
      view_.Put(*entry);
    } else {
      view_.Remove(event.kv.key);
    }
    if (change.before != nullptr || change.after != nullptr) {
      commit.changes.push_back(std::move(change));
    }
  }
  view_.set_revision(batch.rev);
  tell_(commit);
}

}  // namespace cluster::sim
