#include "controller/session/status_writer.h"

#include <optional>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "controller/object/claims.h"
#include "controller/object/object_fields.h"
#include "controller/session/status_merge.h"
#include "proto/schema/stable_bytes.h"

namespace cluster::controller {
namespace {

constexpr size_t kMaxStaged = 400;
constexpr absl::Duration kRetry = absl::Milliseconds(200);

bool IsNew(const std::optional<v1::PodReportRecord>& stored, int64_t lineage, int64_t sequence) {
  if (!stored.has_value() || lineage > stored->lineage()) return true;
  return lineage == stored->lineage() && sequence > stored->sequence();
}

}  // namespace

StatusWriter::StatusWriter(store::Store* store, Strand* strand, const Clock* clock,
                           const View* view, ReportBook* reports, Callbacks callbacks)
    : store_(store),
      strand_(strand),
      clock_(clock),
      view_(view),
      reports_(reports),
      callbacks_(std::move(callbacks)),
      limit_(kMaxStaged) {}

void StatusWriter::Add(const std::string& node, int64_t lineage, const v1::StatusBatch& batch,
                       std::function<void()> stored) {
  for (const v1::PodStatusUpdate& update : batch.pods()) {
    Item item;
    item.kind = Item::Kind::kPod;
    item.node = node;
    item.lineage = lineage;
    item.pod = update;
    waiting_.push_back(std::move(item));
  }
  if (batch.has_node()) {
    Item item;
    item.kind = Item::Kind::kNode;
    item.node = node;
    item.node_status = batch.node();
    waiting_.push_back(std::move(item));
  }
  for (const std::string& uid : batch.erased_claims()) {
    Item item;
    item.kind = Item::Kind::kErased;
    item.node = node;
    item.uid = uid;
    waiting_.push_back(std::move(item));
  }
  Item item;
  item.kind = Item::Kind::kStored;
  item.stored = std::move(stored);
  waiting_.push_back(std::move(item));
  Flush();
}

void StatusWriter::ForgetPod(const std::string& uid) {
  seen_.erase(UidKey(uid));
  if (!reports_->Find(uid).has_value() || open_uids_.contains(uid)) return;
  Item item;
  item.kind = Item::Kind::kForget;
  item.uid = uid;
  waiting_.push_back(std::move(item));
  Flush();
}

void StatusWriter::OnView() {
  if (open_ && committed_ != 0 && view_->revision() >= committed_) Settle();
  Flush();
}

void StatusWriter::Flush() {
  while (!open_ && !waiting_.empty() && view_->revision() >= wait_for_) {
    staged_.clear();
    forgotten_.clear();
    while (!waiting_.empty() && staged_.size() + forgotten_.size() < limit_) {
      Stage(waiting_.front());
      taken_.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    open_ = true;
    committed_ = 0;
    store::Txn txn = MakeTxn();
    if (txn.ops.empty()) {
      committed_ = view_->revision();
      Settle();
      continue;
    }
    txn.write_id = RandomId();
    store::Txn copy = txn;
    store_->Submit(std::move(copy), [this, txn = std::move(txn)](store::SubmitResult result) {
      strand_->Post([this, txn, result = std::move(result)]() mutable {
        OnResult(std::move(txn), std::move(result));
      });
    });
  }
}

void StatusWriter::Stage(const Item& item) {
  switch (item.kind) {
    case Item::Kind::kPod:
      return StagePod(item);
    case Item::Kind::kNode:
      return StageNode(item);
    case Item::Kind::kForget:
      forgotten_.push_back(item.uid);
      return;
    case Item::Kind::kErased:
      return StageErased(item);
    case Item::Kind::kStored:
      return;
  }
}

StatusWriter::Staged* StatusWriter::StagedFor(EntryPtr entry) {
  const auto [found, added] = staged_.try_emplace(entry->key);
  if (added) {
    found->second.object = entry->object;
    found->second.base = std::move(entry);
  }
  return &found->second;
}

void StatusWriter::StagePod(const Item& item) {
  const v1::PodStatusUpdate& update = item.pod;
  const EntryPtr entry = view_->Find(v1::Object::kPod, update.namespace_(), update.name());
  if (entry == nullptr || Meta(entry->object).uid() != update.uid() ||
      entry->object.pod().spec().node_name() != item.node) {
    if (!update.gone()) callbacks_.stale(item.node, update.uid());
    return;
  }
  Staged* staged = StagedFor(entry);
  const std::optional<v1::PodReportRecord> known =
      staged->has_record ? staged->record : reports_->Find(update.uid());
  const v1::ObjectMeta& meta = Meta(staged->object);
  if (update.gone() && meta.has_deletion_timestamp() && meta.finalizers().empty()) {
    staged->remove = true;
  }
  const std::pair<int64_t, int64_t> mark(item.lineage, update.sequence());
  const auto seen = seen_.find(entry->uid);
  const bool was_seen = seen != seen_.end() && mark <= seen->second;
  if (!IsNew(known, item.lineage, update.sequence()) || was_seen) return;
  v1::PodReportRecord record;
  record.set_epoch(reports_->EpochOf(*entry));
  record.set_sequence(update.sequence());
  record.set_lineage(item.lineage);
  v1::Pod* pod = staged->object.mutable_pod();
  v1::PodStatus merged = MergePodStatus(pod->status(), update.status(), clock_->Now());
  // Something holds the object, and its node has nothing more to tell.
  const bool gone = update.gone() && meta.has_deletion_timestamp();
  if (gone && !IsTerminal(merged.phase())) merged.set_phase(v1::POD_PHASE_FAILED);
  if (!SameMessage(merged, pod->status())) {
    *pod->mutable_status() = std::move(merged);
    staged->changed = true;
  } else {
    seen_[UidKey(update.uid())] = mark;
  }
  staged->record = std::move(record);
  staged->has_record = true;
}

void StatusWriter::StageNode(const Item& item) {
  EntryPtr entry = view_->Find(v1::Object::kNode, "", item.node);
  if (entry == nullptr) return;
  Staged* staged = StagedFor(std::move(entry));
  v1::Node* node = staged->object.mutable_node();
  v1::NodeStatus merged = MergeNodeStatus(node->status(), item.node_status);
  if (SameMessage(merged, node->status())) return;
  *node->mutable_status() = std::move(merged);
  staged->changed = true;
}

void StatusWriter::StageErased(const Item& item) {
  EntryPtr entry = view_->FindUid(item.uid);
  if (entry == nullptr || !entry->object.has_persistent_volume_claim()) return;
  const v1::PersistentVolumeClaim& claim = entry->object.persistent_volume_claim();
  if (!claim.metadata().has_deletion_timestamp() || claim.status().node_name() != item.node ||
      !HasFinalizer(claim.metadata(), kClaimFinalizer)) {
    return;
  }
  Staged* staged = StagedFor(std::move(entry));
  v1::ObjectMeta* meta = MutableMeta(&staged->object);
  RemoveFinalizer(kClaimFinalizer, meta);
  staged->changed = true;
  staged->remove = meta->finalizers().empty();
}

store::Txn StatusWriter::MakeTxn() {
  store::Txn txn;
  for (auto& [key, staged] : staged_) {
    if (!staged.changed && !staged.remove) continue;
    txn.conds.push_back({key, staged.base->mod_rev});
    const std::string uid = Meta(staged.object).uid();
    const std::string report_key = absl::StrCat(kReportPrefix, uid);
    if (staged.remove) {
      txn.for_deletion = true;
      txn.ops.push_back({store::Op::Kind::kDelete, key, "", 0});
      if (reports_->Find(uid).has_value()) {
        txn.ops.push_back({store::Op::Kind::kDelete, report_key, "", 0});
      }
      open_uids_[uid] = key;
      continue;
    }
    MutableMeta(&staged.object)->clear_resource_version();
    txn.ops.push_back({store::Op::Kind::kPut, key, SerializeObject(staged.object), 0});
    if (!staged.has_record) continue;
    txn.ops.push_back({store::Op::Kind::kPut, report_key, staged.record.SerializeAsString(), 0});
    open_uids_[uid] = key;
  }
  for (const std::string& uid : forgotten_) {
    if (!reports_->Find(uid).has_value() || open_uids_.contains(uid)) continue;
    open_uids_[uid] = "";
    txn.ops.push_back({store::Op::Kind::kDelete, absl::StrCat(kReportPrefix, uid), "", 0});
  }
  return txn;
}

void StatusWriter::OnResult(store::Txn txn, store::SubmitResult result) {
  if (result.status.ok()) {
    unknown_ = false;
    complained_ = false;
    limit_ = kMaxStaged;
    committed_ = result.commit.rev;
    if (txn.ops.size() == forgotten_.size()) committed_ = view_->revision();
    if (view_->revision() >= committed_) {
      Settle();
      Flush();
    }
    return;
  }
  // Not applied this time may have been applied the first time.
  unknown_ = unknown_ || absl::IsUnknown(result.status);
  if (unknown_ && !absl::IsAborted(result.status) && !absl::IsFailedPrecondition(result.status)) {
    // The same write id again: answered with the first outcome, if there was one.
    strand_->PostAfter(kRetry, [this, txn = std::move(txn)]() mutable {
      store::Txn copy = txn;
      store_->Submit(std::move(copy), [this, txn](store::SubmitResult again) {
        strand_->Post([this, txn, again = std::move(again)]() mutable {
          OnResult(std::move(txn), std::move(again));
        });
      });
    });
    return;
  }
  TryAgain(result.status);
}

void StatusWriter::TryAgain(const absl::Status& why) {
  while (!taken_.empty()) {
    waiting_.push_front(std::move(taken_.back()));
    taken_.pop_back();
  }
  open_ = false;
  unknown_ = false;
  open_uids_.clear();
  if (absl::IsAborted(why)) {
    // Somebody wrote one of the objects in between; soon the view shows it.
    wait_for_ = store_->CurrentRev();
    limit_ = std::max<size_t>(1, limit_ / 2);
    callbacks_.settled();
    return AwaitView();
  }
  if (!complained_)
    LOG_ERROR("reports of nodes cannot be stored, trying again: {}", why.ToString());
  complained_ = true;
  callbacks_.settled();
  if (!absl::IsFailedPrecondition(why)) {
    strand_->PostAfter(kRetry, [this] { Flush(); });
  }
}

void StatusWriter::AwaitView() {
  callbacks_.look();
  if (view_->revision() < wait_for_) {
    strand_->PostAfter(absl::Milliseconds(1), [this] { AwaitView(); });
  }
}

void StatusWriter::Settle() {
  for (auto& [key, staged] : staged_) {
    const std::string& uid = Meta(staged.object).uid();
    if (!open_uids_.contains(uid)) continue;
    if (staged.remove) {
      reports_->Erase(uid);
      seen_.erase(UidKey(uid));
    } else if (staged.has_record) {
      reports_->Set(uid, staged.record, committed_);
    }
  }
  for (const std::string& uid : forgotten_) reports_->Erase(uid);
  staged_.clear();
  forgotten_.clear();
  open_uids_.clear();
  open_ = false;
  std::deque<Item> done = std::move(taken_);
  taken_.clear();
  for (Item& item : done) {
    if (item.stored) item.stored();
  }
  callbacks_.settled();
}

}  // namespace cluster::controller
