#include "controller/cache/cache.h"

#include <algorithm>
#include <cmath>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "controller/cache/watch.h"

namespace cluster {
namespace {

// How many entries are looked up under one lock.
constexpr size_t kPackedAtOnce = 256;

absl::StatusOr<std::vector<EntryPtr>> ParseAll(const std::vector<store::Kv>& kvs) {
  std::vector<EntryPtr> entries;
  entries.reserve(kvs.size());
  for (const store::Kv& kv : kvs) {
    if (KindOfKey(kv.key) == nullptr) continue;
    ASSIGN_OR_RETURN(EntryPtr entry, ParseEntry(kv));
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string PrefixOf(v1::Object::ObjectCase kind, absl::string_view name_space) {
  const std::string prefix = absl::StrCat(KindOf(kind).plural, "/");
  return name_space.empty() ? prefix : absl::StrCat(prefix, name_space, "/");
}

absl::Status TooSlow(store::Rev after, store::Rev oldest) {
  return absl::OutOfRangeError(absl::StrCat("changes after revision ", after,
                                            " are no longer kept (the oldest kept follow ", oldest,
                                            "); list again and watch from there"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Cache>> Cache::Start(store::Store* store, CacheOptions options) {
  std::unique_ptr<Cache> cache(new Cache(store, options));
  RETURN_IF_ERROR(cache->Fill());
  return cache;
}

Cache::Cache(store::Store* store, CacheOptions options) : store_(store), options_(options) {}

Cache::~Cache() {
  std::unique_ptr<store::WatchHandle> feed;
  {
    MutexLock lock(&mutex_);
    closing_ = true;
    feed = std::move(feed_);
  }
  feed.reset();  // waits, unlocked, for a delivery that is running
}

absl::Status Cache::Fill() {
  const store::Rev now = store_->CurrentRev();
  const auto window = static_cast<store::Rev>(options_.window_revisions);
  const store::Rev from = std::max(store_->OldestRev(), now - window);
  store::Listing listing;
  if (from > 0) {
    ASSIGN_OR_RETURN(listing, store_->List("", from));
  }
  ASSIGN_OR_RETURN(const std::vector<EntryPtr> entries, ParseAll(listing.kvs));
  {
    WriterLock view_lock(&view_mutex_);
    MutexLock lock(&mutex_);
    view_.Reset(listing.rev, entries);
    revision_ = listing.rev;
    window_.clear();
    window_bytes_ = 0;
    window_start_ = listing.rev;
  }
  auto feed = store_->Watch("", listing.rev, this);
  MutexLock lock(&mutex_);
  feed_ = std::move(feed);
  while (revision_ < now && health_.ok()) advanced_.Wait(&mutex_);
  return health_;
}

store::Rev Cache::revision() const {
  MutexLock lock(&mutex_);
  return revision_;
}

absl::Status Cache::health() const {
  MutexLock lock(&mutex_);
  return health_;
}

bool Cache::WaitFor(store::Rev rev, absl::Duration timeout) const {
  const absl::Duration deadline = RealClock()->Monotonic() + timeout;
  MutexLock lock(&mutex_);
  while (revision_ < rev) {
    const absl::Duration left = deadline - RealClock()->Monotonic();
    if (left <= absl::ZeroDuration() || !health_.ok()) return false;
    advanced_.WaitFor(&mutex_, left);
  }
  return true;
}

View Cache::Snapshot() const {
  ReaderLock lock(&view_mutex_);
  return view_;
}

Cache::ObjectList Cache::List(v1::Object::ObjectCase kind, absl::string_view name_space) const {
  const std::string prefix = PrefixOf(kind, name_space);
  ReaderLock lock(&view_mutex_);
  ObjectList list;
  list.rev = view_.revision();
  const auto range = view_.All(kind).Under(prefix);
  for (auto it = range.begin(); it != range.end(); ++it) list.entries.push_back(it.kept());
  return list;
}

absl::StatusOr<Cache::ObjectList> Cache::ListAt(v1::Object::ObjectCase kind,
                                                absl::string_view name_space,
                                                store::Rev rev) const {
  if (revision() == rev) {
    ObjectList now = List(kind, name_space);
    if (now.rev == rev) return now;
  }
  if (rev <= 0) {
    // Before the first write there was nothing; to the store, 0 means "now".
    const store::Rev oldest = store_->OldestRev();
    if (rev == 0 && oldest == 0) return ObjectList();
    return TooSlow(rev, oldest);
  }
  ASSIGN_OR_RETURN(const store::Listing listing, store_->List(PrefixOf(kind, name_space), rev));
  ObjectList then;
  then.rev = rev;
  ASSIGN_OR_RETURN(const std::vector<EntryPtr> entries, ParseAll(listing.kvs));
  then.entries.assign(entries.begin(), entries.end());
  return then;
}

EntryPtr Cache::Find(v1::Object::ObjectCase kind, absl::string_view name_space,
                     absl::string_view name) const {
  ReaderLock lock(&view_mutex_);
  return view_.Find(kind, name_space, name);
}

// The feed: the store calls these from one thread at a time, so the view cannot change between
// Absorb's look at it and Show.

void Cache::OnBatch(const store::Batch& batch) {
  if (!health().ok()) return;
  const absl::StatusOr<ChangesPtr> changes = Absorb(batch);
  if (!changes.ok()) {
    Fail(changes.status());
    return;
  }
  int64_t bytes = 0;
  for (const store::Event& event : batch.events) {
    bytes += static_cast<int64_t>(event.kv.key.size() + event.kv.value.size());
  }
  Show(*changes, bytes);
  Wake(changes->get());
}

void Cache::OnProgress(store::Rev rev) {
  if (health().ok()) ShowRevision(rev);
}

// History was compacted past the cache, which only a long stall can bring about. Everything is
// listed anew, and the watches are cut off because what they missed cannot be told.
void Cache::OnCompacted(store::Rev oldest) {
  {
    MutexLock lock(&mutex_);
    if (feed_ == nullptr && !closing_) {
      health_ = TooSlow(revision_, oldest);
      advanced_.SignalAll();
      return;
    }
  }
  LOG_WARN("cache: history up to revision {} is gone, listing again", oldest);
  const absl::StatusOr<store::Listing> listing = store_->List("");
  if (!listing.ok()) return Fail(listing.status());
  const absl::StatusOr<std::vector<EntryPtr>> entries = ParseAll(listing->kvs);
  if (!entries.ok()) return Fail(entries.status());
  {
    WriterLock view_lock(&view_mutex_);
    MutexLock lock(&mutex_);
    view_.Reset(listing->rev, *entries);
    revision_ = listing->rev;
    window_.clear();
    window_bytes_ = 0;
    window_start_ = listing->rev;
    for (const auto& [number, watch] : watches_) watch->pending = true;
    advanced_.SignalAll();
  }
  Wake(nullptr);
  // The old feed is over; destroyed here, by its own call, it is not waited for.
  auto feed = store_->Watch("", listing->rev, this);
  MutexLock lock(&mutex_);
  if (!closing_) std::swap(feed, feed_);
}

void Cache::Fail(const absl::Status& status) {
  LOG_ERROR("cache: no longer follows the store: {}", std::string(status.message()));
  {
    MutexLock lock(&mutex_);
    health_ = status;
    advanced_.SignalAll();
  }
  Wake(nullptr);
}

absl::StatusOr<ChangesPtr> Cache::Absorb(const store::Batch& batch) {
  auto changes = std::make_shared<Changes>();
  changes->rev = batch.rev;
  for (const store::Event& event : batch.events) {
    if (KindOfKey(event.kv.key) == nullptr) continue;
    Change change;
    if (event.kind == store::Event::Kind::kPut) {
      ASSIGN_OR_RETURN(change.after, ParseEntry(event.kv));
    }
    {
      ReaderLock lock(&view_mutex_);
      change.before = view_.Find(event.kv.key);
    }
    if (change.before != nullptr || change.after != nullptr) {
      changes->items.push_back(std::move(change));
    }
  }
  return changes;
}

void Cache::Show(const ChangesPtr& changes, int64_t bytes) {
  WriterLock view_lock(&view_mutex_);
  for (const Change& change : changes->items) {
    if (change.after != nullptr) {
      view_.Put(change.after);
    } else {
      view_.Remove(change.before->key);
    }
  }
  view_.set_revision(changes->rev);
  MutexLock lock(&mutex_);
  if (!changes->items.empty()) Append(changes, bytes);
  revision_ = changes->rev;
  advanced_.SignalAll();
}

void Cache::ShowRevision(store::Rev rev) {
  WriterLock view_lock(&view_mutex_);
  MutexLock lock(&mutex_);
  if (rev <= revision_) return;
  view_.set_revision(rev);
  revision_ = rev;
  for (const auto& [number, watch] : watches_) {
    if (!watch->pending) watch->position = rev;
  }
  advanced_.SignalAll();
}

void Cache::Append(const ChangesPtr& changes, int64_t bytes) {
  window_.push_back({changes, bytes, RealClock()->Monotonic()});
  window_bytes_ += bytes;
  while (window_.size() > options_.window_revisions ||
         (window_bytes_ > options_.window_bytes && window_.size() > 1)) {
    DropFirst();
  }
}

void Cache::DropFirst() {
  window_start_ = window_.front().changes->rev;
  window_bytes_ -= window_.front().bytes;
  window_.pop_front();
}

void Cache::Tidy() {
  ForgetOld();
  PackUnused();
}

void Cache::ForgetOld() {
  const absl::Duration before = RealClock()->Monotonic() - options_.window_age;
  MutexLock lock(&mutex_);
  while (window_.size() > 1 && window_bytes_ > options_.lasting_bytes &&
         window_.front().since < before) {
    DropFirst();
  }
}

// As much of a round as the time since the last call is of a round's.
void Cache::PackUnused() {
  const absl::Duration now = RealClock()->Monotonic();
  const absl::Duration elapsed = now - std::exchange(round_.at, now);
  const double share =
      options_.pack_round <= elapsed ? 1 : absl::FDivDuration(elapsed, options_.pack_round);
  size_t left = 0;
  {
    ReaderLock lock(&view_mutex_);
    left = static_cast<size_t>(std::ceil(share * static_cast<double>(view_.size())));
  }
  while (left > 0) {
    std::vector<KeptEntry> some;
    {
      ReaderLock lock(&view_mutex_);
      some = view_.Some(round_.after, std::min(left, kPackedAtOnce));
    }
    if (some.empty()) {
      // Through; or nothing is there.
      if (std::exchange(round_.after, "").empty()) return;
      continue;
    }
    for (const KeptEntry& entry : some) round_.packer.PackUnused(entry);
    left -= some.size();
    round_.after = some.back().key();
  }
}

}  // namespace cluster
