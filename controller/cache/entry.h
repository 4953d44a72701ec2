// One object as it was stored, and who holds it.
//
// Every view, index and table of the process shares one Entry for each object. Most objects rest
// most of the time, and a parsed message is some forty times what it has to say; so an entry that
// nobody looks at may be packed (packer.h). Two kinds of pointers keep it alive:
//
//   EntryPtr   for work: while there is one, `object` is there and does not move.
//   KeptEntry  for indexes and tables: the entry stays, its object may be packed.
//
// Holding costs an atomic addition; some microseconds where the object is packed. It is parsed for
// as long as somebody holds it then, so that a look at everything takes no memory that stays; one
// that is held again and again is packed no longer.
//
// All of it is thread-safe, as shared_ptr is: one pointer belongs to one thread at a time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/mutex.h"
#include "cluster/v1/object.pb.h"
#include "controller/cache/uid_key.h"
#include "controller/store/store.h"

namespace cluster {

class EntryPtr;
class KeptEntry;
class Packer;

// What is left of an object while its entry is packed; one allocation.
class PackedObject {
 public:
  struct Delete {
    void operator()(PackedObject* packed) const;
  };
  using Ptr = std::unique_ptr<PackedObject, Delete>;
  using Base = std::shared_ptr<const std::string>;
  static Ptr Make(Base base, absl::string_view bytes);

  // What it was compressed against.
  const Base& base() const { return base_; }
  absl::string_view bytes() const { return {reinterpret_cast<const char*>(this + 1), size_}; }

 private:
  PackedObject(Base base, size_t size) : base_(std::move(base)), size_(size) {}
  ~PackedObject() = default;

  const Base base_;
  const size_t size_;
};

// What those who count pods ask of each of very many, all in one place. Of a pod: its phase, its
// deletionTimestamp and its condition Ready.
struct PodMarks {
  bool succeeded = false;
  bool failed = false;
  bool terminating = false;
  bool ready = false;
  absl::Time ready_since;  // lastTransitionTime, while ready

  bool finished() const { return succeeded || failed; }
  bool active() const { return !finished() && !terminating; }
};
PodMarks MarksOf(const v1::Pod& pod);

class Entry {
 public:
  Entry(v1::Object object_in, store::Rev mod_rev_in, store::Rev create_rev_in);
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

  const std::string key;
  const UidKey uid;
  const store::Rev mod_rev;
  const store::Rev create_rev;
  const PodMarks marks;
  v1::Object object;  // only while an EntryPtr is there

 private:
  friend class EntryPtr;
  friend class KeptEntry;
  friend class Packer;
  friend EntryPtr MakeEntry(v1::Object object, store::Rev mod_rev, store::Rev create_rev);

  // The state: pointers that keep and pointers that hold, counted apart; whether the object is
  // away, and whether there is a packed form of it.
  static constexpr uint64_t kKept = 1;
  static constexpr uint64_t kHeld = uint64_t{1} << 32;
  static constexpr uint64_t kCold = uint64_t{1} << 62;
  static constexpr uint64_t kAway = uint64_t{1} << 63;
  static constexpr uint64_t kFlags = kCold | kAway;
  static bool IsHeld(uint64_t state) { return (state & ~kFlags) >= kHeld; }

  void Keep() { state_.fetch_add(kKept, std::memory_order_relaxed); }
  // Of an entry that is held already.
  void HoldAgain() { state_.fetch_add(kHeld, std::memory_order_relaxed); }
  void Hold() {
    if ((state_.fetch_add(kHeld, std::memory_order_acquire) & kAway) != 0) Unpack();
    if (!used_.load(std::memory_order_relaxed)) used_.store(true, std::memory_order_relaxed);
  }
  void LetGo() {
    if ((state_.load(std::memory_order_relaxed) & kCold) != 0) return LetGoCold();
    Drop(kHeld);
  }
  void Drop(uint64_t share) {
    const uint64_t left = state_.fetch_sub(share, std::memory_order_acq_rel) - share;
    if ((left & ~kFlags) == 0) delete this;
  }
  // Held while it is packed or unpacked; a leaf: nothing else is locked under it.
  Mutex* mutex() const;
  void Unpack();
  void LetGoCold();
  // Nobody holds it and nobody will, until the caller, who has its mutex, is through.
  bool Close();

  std::atomic<uint64_t> state_ = 0;
  std::atomic<bool> used_ = true;      // held since a packer last came by
  std::atomic<uint8_t> unpacked_ = 0;  // so often since then
  PackedObject::Ptr packed_;           // guarded by mutex()
};

// Holds an entry: for work.
class EntryPtr {
 public:
  EntryPtr() = default;
  EntryPtr(std::nullptr_t) {}  // NOLINT(google-explicit-constructor): as a pointer
  EntryPtr(const EntryPtr& other) : entry_(other.entry_) {
    if (entry_ != nullptr) entry_->HoldAgain();
  }
  EntryPtr(EntryPtr&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  EntryPtr& operator=(EntryPtr other) noexcept {
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~EntryPtr() {
    if (entry_ != nullptr) entry_->LetGo();
  }

  const Entry& operator*() const { return *entry_; }
  const Entry* operator->() const { return entry_; }
  const Entry* get() const { return entry_; }
  explicit operator bool() const { return entry_ != nullptr; }
  friend bool operator==(const EntryPtr& a, const EntryPtr& b) { return a.entry_ == b.entry_; }

 private:
  friend class KeptEntry;
  friend EntryPtr MakeEntry(v1::Object object, store::Rev mod_rev, store::Rev create_rev);
  // The entry is held for this already.
  explicit EntryPtr(Entry* entry) : entry_(entry) {}

  Entry* entry_ = nullptr;
};

// Keeps an entry: for indexes and tables.
class KeptEntry {
 public:
  KeptEntry() = default;
  KeptEntry(const EntryPtr& entry)  // NOLINT(google-explicit-constructor): gives nothing up
      : entry_(entry.entry_) {
    if (entry_ != nullptr) entry_->Keep();
  }
  KeptEntry(const KeptEntry& other) : entry_(other.entry_) {
    if (entry_ != nullptr) entry_->Keep();
  }
  KeptEntry(KeptEntry&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  KeptEntry& operator=(KeptEntry other) noexcept {
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~KeptEntry() {
    if (entry_ != nullptr) entry_->Drop(Entry::kKept);
  }

  EntryPtr Hold() const {
    if (entry_ == nullptr) return nullptr;
    entry_->Hold();
    return EntryPtr(entry_);
  }
  explicit operator bool() const { return entry_ != nullptr; }

  // What is known of a packed entry, too.
  const std::string& key() const { return entry_->key; }
  const UidKey& uid() const { return entry_->uid; }
  // There is a packed form; while somebody holds it the object is there, too.
  bool is_packed() const { return (entry_->state_.load() & Entry::kCold) != 0; }
  store::Rev mod_rev() const { return entry_->mod_rev; }
  const PodMarks& marks() const { return entry_->marks; }

 private:
  friend class Packer;
  Entry* entry_ = nullptr;
};

// `mod_rev` is the store's revision of the last change, metadata.resourceVersion is made of it.
EntryPtr MakeEntry(v1::Object object, store::Rev mod_rev, store::Rev create_rev);

// Parses a stored value. DataLoss when it is not an object.
absl::StatusOr<EntryPtr> ParseEntry(const store::Kv& kv);
// Serialized form for the store: without resourceVersion, deterministic. Costs a copy where there
// is one.
std::string SerializeObject(const v1::Object& object);

}  // namespace cluster
