// Merges what nodes report into the stored pods and nodes, many reports in one transaction.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/strand.h"
#include "cluster/v1/session.pb.h"
#include "controller/cache/view.h"
#include "controller/session/report_book.h"
#include "controller/store/store.h"

namespace cluster::controller {

// Lives on its owner's strand. One transaction is open at a time: reports that come meanwhile go
// into the next. A report is applied when its sequence is above the stored one of its lineage, so
// sending one again changes nothing.
class StatusWriter {
 public:
  struct Callbacks {
    // The node reports a pod that the store does not have, or that is another node's.
    std::function<void(const std::string& node, const std::string& uid)> stale;
    // What was uncertain no longer is: the report book and the view agree.
    std::function<void()> settled;
    // The view should be brought up to date.
    std::function<void()> look;
  };

  // All must outlive the writer; the view and the book are the owner's.
  StatusWriter(store::Store* store, Strand* strand, const Clock* clock, const View* view,
               ReportBook* reports, Callbacks callbacks);

  // `stored` is called once everything in the batch is durable (or proved to be old). It must not
  // refer to what may be gone by then.
  void Add(const std::string& node, int64_t lineage, const v1::StatusBatch& batch,
           std::function<void()> stored);
  // The pod object is gone: so is its record, soon.
  void ForgetPod(const std::string& uid);
  // The epoch of this pod cannot be told now: a transaction with it is open.
  bool Uncertain(const std::string& uid) const { return open_uids_.contains(uid); }
  // The view has advanced.
  void OnView();

 private:
  struct Item {
    enum class Kind { kPod, kNode, kForget, kErased, kStored };
    Kind kind = Kind::kStored;
    std::string node;
    int64_t lineage = 0;
    v1::PodStatusUpdate pod;
    v1::NodeStatus node_status;
    std::string uid;
    std::function<void()> stored;
  };
  // One key of the transaction in the making.
  struct Staged {
    EntryPtr base;
    v1::Object object;
    bool changed = false;
    bool remove = false;
    v1::PodReportRecord record;
    bool has_record = false;
  };

  void Flush();
  void Stage(const Item& item);
  void StagePod(const Item& item);
  void StageNode(const Item& item);
  // Of a claim that is being deleted nothing is left on its node: nothing holds it any more.
  void StageErased(const Item& item);
  Staged* StagedFor(EntryPtr entry);
  store::Txn MakeTxn();
  void OnResult(store::Txn txn, store::SubmitResult result);
  void TryAgain(const absl::Status& why);
  void AwaitView();
  void Settle();

  store::Store* const store_;
  Strand* const strand_;
  const Clock* const clock_;
  const View* const view_;
  ReportBook* const reports_;
  const Callbacks callbacks_;

  std::deque<Item> waiting_;
  std::deque<Item> taken_;  // in the open transaction
  std::map<std::string, Staged> staged_;
  std::map<std::string, std::string> open_uids_;  // uid -> key
  // Of reports that changed nothing and were not stored: lineage and sequence, by uid.
  absl::flat_hash_map<UidKey, std::pair<int64_t, int64_t>> seen_;
  std::vector<std::string> forgotten_;
  bool open_ = false;
  bool unknown_ = false;      // the open transaction may have been applied
  store::Rev wait_for_ = 0;   // the view has to show this first
  store::Rev committed_ = 0;  // of the open transaction; 0 = not yet
  size_t limit_;              // keys in one transaction
  bool complained_ = false;
};

}  // namespace cluster::controller
