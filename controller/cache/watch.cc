#include "controller/cache/watch.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster {
namespace {

// Kind and namespace; `matches` is for the taker, without a lock.
bool InScope(const WatchScope& scope, const Change& change) {
  const Entry& entry = change.after != nullptr ? *change.after : *change.before;
  if (scope.kind != v1::Object::OBJECT_NOT_SET && entry.object.object_case() != scope.kind) {
    return false;
  }
  return scope.name_space.empty() || Meta(entry.object).namespace_() == scope.name_space;
}

bool Concerns(const WatchScope& scope, const Changes& changes) {
  return std::any_of(changes.items.begin(), changes.items.end(),
                     [&scope](const Change& change) { return InScope(scope, change); });
}

void AppendEvent(const WatchScope& scope, const Change& change, store::Rev rev,
                 std::vector<WatchEvent>* events) {
  if (!InScope(scope, change)) return;
  const auto matches = [&scope](const EntryPtr& entry) {
    return entry != nullptr && (!scope.matches || scope.matches(entry->object));
  };
  const bool before = matches(change.before);
  const bool after = matches(change.after);
  if (after) {
    const auto type = before ? WatchEvent::Type::kModified : WatchEvent::Type::kAdded;
    events->push_back({type, change.after, rev});
  } else if (before) {
    events->push_back({WatchEvent::Type::kDeleted, change.before, rev});
  }
}

}  // namespace

CacheWatch::CacheWatch(Cache* cache, std::shared_ptr<Shared> shared)
    : cache_(cache), shared_(std::move(shared)) {}

CacheWatch::~CacheWatch() { cache_->Forget(shared_); }

absl::StatusOr<std::vector<ChangesPtr>> CacheWatch::TakeChanges(size_t max) {
  return cache_->TakeFor(shared_.get(), max);
}

absl::StatusOr<std::vector<WatchEvent>> CacheWatch::Take(size_t max) {
  std::vector<WatchEvent> events;
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<ChangesPtr> taken, TakeChanges(max));
    for (const ChangesPtr& changes : taken) {
      for (const Change& change : changes->items) {
        AppendEvent(shared_->scope, change, changes->rev, &events);
      }
    }
    if (taken.empty() || !events.empty()) return events;
  }
}

store::Rev CacheWatch::position() const {
  MutexLock lock(&cache_->mutex_);
  return shared_->position;
}

absl::StatusOr<std::unique_ptr<CacheWatch>> Cache::Watch(WatchScope scope, store::Rev after,
                                                         std::function<void()> wake) {
  auto shared = std::make_shared<CacheWatch::Shared>(std::move(scope), std::move(wake));
  shared->position = after;
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(health_);
  if (after > revision_) {
    return absl::InvalidArgumentError(
        absl::StrCat("revision ", after, " is not reached yet; the cluster is at ", revision_));
  }
  if (after < window_start_) {
    return absl::OutOfRangeError(absl::StrCat("changes after revision ", after,
                                              " are no longer kept (the oldest kept follow ",
                                              window_start_, "); list again and watch from there"));
  }
  shared->pending = after < revision_;
  shared->number = ++last_watch_;
  watches_[shared->number] = shared;
  return std::unique_ptr<CacheWatch>(new CacheWatch(this, std::move(shared)));
}

void Cache::Forget(const std::shared_ptr<CacheWatch::Shared>& watch) {
  MutexLock lock(&mutex_);
  watch->over = true;
  watches_.erase(watch->number);
  while (watch->busy && watch->waker != std::this_thread::get_id()) advanced_.Wait(&mutex_);
}

absl::StatusOr<std::vector<ChangesPtr>> Cache::TakeFor(CacheWatch::Shared* watch, size_t max) {
  MutexLock lock(&mutex_);
  if (watch->position < window_start_) watch->cut = true;
  if (watch->cut) {
    return absl::OutOfRangeError(absl::StrCat("the watch at revision ", watch->position,
                                              " was too slow and is cut off; list again"));
  }
  auto next = std::partition_point(window_.begin(), window_.end(), [watch](const Kept& kept) {
    return kept.changes->rev <= watch->position;
  });
  std::vector<ChangesPtr> taken;
  size_t items = 0;
  for (; next != window_.end() && items < max; ++next) {
    if (!Concerns(watch->scope, *next->changes)) continue;
    taken.push_back(next->changes);
    items += next->changes->items.size();
  }
  watch->pending = next != window_.end();
  watch->position = watch->pending ? std::prev(next)->changes->rev : revision_;
  // A cache that has stopped must not look like a quiet one.
  if (taken.empty() && !health_.ok()) return health_;
  return taken;
}

void Cache::Wake(const Changes* changes) {
  std::vector<std::shared_ptr<CacheWatch::Shared>> concerned;
  {
    MutexLock lock(&mutex_);
    for (const auto& [number, watch] : watches_) {
      if (changes == nullptr || Concerns(watch->scope, *changes)) {
        watch->pending = true;
        concerned.push_back(watch);
      } else if (!watch->pending) {
        watch->position = std::max(watch->position, changes->rev);
      }
    }
  }
  for (const auto& watch : concerned) {
    {
      MutexLock lock(&mutex_);
      if (watch->over) continue;
      watch->busy = true;
      watch->waker = std::this_thread::get_id();
    }
    if (watch->wake) watch->wake();
    MutexLock lock(&mutex_);
    watch->busy = false;
    advanced_.SignalAll();
  }
}

}  // namespace cluster
