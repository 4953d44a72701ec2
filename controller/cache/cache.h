// The cluster's objects in memory, fed by one store watch, for every reader in the process: the
// API, the sessions, the planners. Reads never touch the store.
//
// Recent changes are kept in one bounded window that all watches share as cursors: a slow watch
// costs no memory and is cut off (OutOfRange) when the window has moved past it. At start the
// window is filled from the store's history, so watches resume over a restart of the controller.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/mutex.h"
#include "controller/cache/packer.h"
#include "controller/cache/view.h"
#include "controller/store/store.h"

namespace cluster {

// One object's change. Both set: modified.
struct Change {
  EntryPtr before;  // nullptr: created
  EntryPtr after;   // nullptr: deleted
};

// All changes of exactly one store revision, ordered by key. Keys outside the kinds are left out.
struct Changes {
  store::Rev rev = 0;
  std::vector<Change> items;
};
using ChangesPtr = std::shared_ptr<const Changes>;

// What a watch is about.
struct WatchScope {
  v1::Object::ObjectCase kind = v1::Object::OBJECT_NOT_SET;  // not set = every kind
  std::string name_space;                                    // empty = every namespace
  // Further selection (labels, a name); empty = everything. An object that starts to match appears
  // as kAdded, one that ceases to match as kDeleted. Called without any lock.
  std::function<bool(const v1::Object&)> matches;
};

struct WatchEvent {
  enum class Type { kAdded, kModified, kDeleted };
  Type type = Type::kAdded;
  EntryPtr entry;      // kDeleted: the last state that matched, with its own resourceVersion
  store::Rev rev = 0;  // of the change
};

class Cache;

// A cursor into the changes. One owner at a time calls Take; ends when destroyed, and then no wake
// is running or will follow (destroyed by its own wake, that wake is the last). Destroy before the
// cache.
class CacheWatch {
 public:
  ~CacheWatch();
  CacheWatch(const CacheWatch&) = delete;
  CacheWatch& operator=(const CacheWatch&) = delete;

  // The next events in order, whole revisions, about `max` of them; empty when there is nothing new
  // (position() then is the cache's revision). OutOfRange for good once the watch was too slow:
  // list again.
  absl::StatusOr<std::vector<WatchEvent>> Take(size_t max = 256);
  // The same, unselected by `matches`: whole revisions as they were committed, for owners of a
  // View.
  absl::StatusOr<std::vector<ChangesPtr>> TakeChanges(size_t max = 256);

  // Everything up to and including this revision was taken or did not concern this watch: what a
  // bookmark carries, and where to resume.
  store::Rev position() const;

 private:
  friend class Cache;
  struct Shared;
  CacheWatch(Cache* cache, std::shared_ptr<Shared> shared);

  Cache* const cache_;
  const std::shared_ptr<Shared> shared_;
};

struct CacheOptions {
  size_t window_revisions = 10'000;
  int64_t window_bytes = 64 << 20;  // of stored values in the window
  // What is older than this may go earlier (Tidy), but for some.
  absl::Duration window_age = absl::Minutes(1);
  int64_t lasting_bytes = 256 << 10;
  // Tidy packs an object that nobody has held for one to two rounds; a round takes so long. Zero:
  // each call is a round.
  absl::Duration pack_round = absl::Seconds(15);
};

// Thread-safe.
class Cache : private store::WatchSink {
 public:
  // Lists, fills the window and follows. The store must outlive the cache. DataLoss when the store
  // holds something under a kind's prefix that is no object.
  static absl::StatusOr<std::unique_ptr<Cache>> Start(store::Store* store,
                                                      CacheOptions options = {});
  ~Cache() override;

  // Everything up to and including this revision is visible.
  store::Rev revision() const;
  // Until the cache shows `rev`: call with a commit's revision to read one's own write. False after
  // `timeout`. Not from a wake or a store callback.
  bool WaitFor(store::Rev rev, absl::Duration timeout) const;

  // One look at everything at one revision: read(const View&) runs under a shared lock, so it must
  // be short and must not call the cache. Take EntryPtrs out and work on them afterwards.
  template <typename Reader>
  auto Read(Reader&& read) const {
    ReaderLock lock(&view_mutex_);
    return read(view_);
  }
  // A copy of the whole view (objects are shared, indexes are not): for the planners' own view.
  View Snapshot() const;

  struct ObjectList {
    store::Rev rev = 0;
    std::vector<KeptEntry> entries;  // ordered by key; held by whoever looks at one
  };
  // All objects of a kind (in a namespace, if given) at one revision.
  ObjectList List(v1::Object::ObjectCase kind, absl::string_view name_space = "") const;
  // The same at an earlier revision, for the further pages of a listing; answered from the store's
  // history when the cache has moved on. OutOfRange when that is gone.
  absl::StatusOr<ObjectList> ListAt(v1::Object::ObjectCase kind, absl::string_view name_space,
                                    store::Rev rev) const;
  EntryPtr Find(v1::Object::ObjectCase kind, absl::string_view name_space,
                absl::string_view name) const;

  // Changes with a revision > `after`. Take until empty, then again after each `wake`, which is
  // called from the store's thread, without a lock, when something new may match; it must not
  // block. OutOfRange when `after` is older than the window: list again. InvalidArgument when it is
  // in the future.
  absl::StatusOr<std::unique_ptr<CacheWatch>> Watch(WatchScope scope, store::Rev after,
                                                    std::function<void()> wake);

  // Takes less memory again after a time of many changes, for as long as the next call is away.
  // Watches that were away for longer than options.window_age may have to list anew, and objects
  // that rest are packed (packer.h). To be called now and then; by one thread at a time.
  void Tidy();

  // Why the cache has stopped following the store; ok while it follows.
  absl::Status health() const;

 private:
  friend class CacheWatch;
  Cache(store::Store* store, CacheOptions options);

  void OnBatch(const store::Batch& batch) override;
  void OnProgress(store::Rev rev) override;
  void OnCompacted(store::Rev oldest) override;

  void ForgetOld();
  void PackUnused();

  // Lists at the oldest revision that the window shall cover and follows from there.
  absl::Status Fill();
  absl::StatusOr<ChangesPtr> Absorb(const store::Batch& batch);
  void Show(const ChangesPtr& changes, int64_t bytes);
  void ShowRevision(store::Rev rev);
  void Append(const ChangesPtr& changes, int64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropFirst() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // nullptr: every watch.
  void Wake(const Changes* changes);
  void Fail(const absl::Status& status);
  absl::StatusOr<std::vector<ChangesPtr>> TakeFor(CacheWatch::Shared* watch, size_t max);
  void Forget(const std::shared_ptr<CacheWatch::Shared>& watch);

  store::Store* const store_;
  const CacheOptions options_;

  // Taken before mutex_. What the view shows, the window holds too.
  mutable SharedMutex view_mutex_;
  View view_ ABSL_GUARDED_BY(view_mutex_);

  struct Kept {
    ChangesPtr changes;
    int64_t bytes = 0;
    absl::Duration since;  // monotonic
  };
  mutable Mutex mutex_;
  mutable CondVar advanced_;
  store::Rev revision_ ABSL_GUARDED_BY(mutex_) = 0;
  // Changes with window_start_ < rev <= revision_.
  std::deque<Kept> window_ ABSL_GUARDED_BY(mutex_);
  store::Rev window_start_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t window_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // In the order in which they began: so they are woken.
  std::map<int64_t, std::shared_ptr<CacheWatch::Shared>> watches_ ABSL_GUARDED_BY(mutex_);
  int64_t last_watch_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status health_ ABSL_GUARDED_BY(mutex_);

  // Of whoever tidies.
  struct Round {
    Packer packer;
    absl::Duration at;  // of the last call, monotonic
    std::string after;  // the key that was looked at last
  };
  Round round_;

  // Set once Start is through; ended by the destructor, replaced by OnCompacted.
  std::unique_ptr<store::WatchHandle> feed_ ABSL_GUARDED_BY(mutex_);
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace cluster
