#include "controller/cache/entry.h"

#include <zstd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <new>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "proto/schema/kinds.h"
#include "proto/schema/scalars.h"
#include "proto/schema/stable_bytes.h"

namespace cluster {
namespace {

// Between two rounds of a packer; after that it is no longer kept packed.
constexpr int kUnpackedAtMost = 4;

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// What was packed by this very process is whole, or its memory is not.
[[noreturn]] void Broken(const std::string& key, absl::string_view what) {
  LOG_ERROR("cache: the packed object {} cannot be read back: {}", key, std::string(what));
  std::abort();
}

}  // namespace

// Entries share a few: there are very many, and one is packed or unpacked in microseconds.
Mutex* Entry::mutex() const {
  static std::array<Mutex, 64>* const mutexes = new std::array<Mutex, 64>;
  return &(*mutexes)[absl::HashOf(this) % mutexes->size()];
}

PackedObject::Ptr PackedObject::Make(Base base, absl::string_view bytes) {
  void* const place = ::operator new(sizeof(PackedObject) + bytes.size());
  Ptr packed(new (place) PackedObject(std::move(base), bytes.size()));
  std::memcpy(static_cast<char*>(place) + sizeof(PackedObject), bytes.data(), bytes.size());
  return packed;
}

void PackedObject::Delete::operator()(PackedObject* packed) const {
  packed->~PackedObject();
  ::operator delete(packed);
}

PodMarks MarksOf(const v1::Pod& pod) {
  PodMarks marks;
  marks.succeeded = pod.status().phase() == v1::POD_PHASE_SUCCEEDED;
  marks.failed = pod.status().phase() == v1::POD_PHASE_FAILED;
  marks.terminating = pod.metadata().has_deletion_timestamp();
  for (const v1::Condition& condition : pod.status().conditions()) {
    if (condition.type() != "Ready") continue;
    marks.ready = condition.status() == v1::CONDITION_STATUS_TRUE;
    marks.ready_since = ToTime(condition.last_transition_time());
    break;
  }
  return marks;
}

Entry::Entry(v1::Object object_in, store::Rev mod_rev_in, store::Rev create_rev_in)
    : key(Key(object_in)),
      uid(Meta(object_in).uid()),
      mod_rev(mod_rev_in),
      create_rev(create_rev_in),
      marks(MarksOf(object_in.pod())),
      object(std::move(object_in)) {}

void Entry::Unpack() {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  MutexLock lock(mutex());
  if ((state_.load(std::memory_order_acquire) & kAway) == 0) return;  // by another, meanwhile
  const absl::string_view bytes = packed_->bytes();
  const auto length = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (length >= ZSTD_CONTENTSIZE_ERROR) Broken(key, "no zstd frame");
  std::string whole(length, '\0');
  const std::string& base = *packed_->base();
  ZSTD_DCtx_refPrefix(context.get(), base.data(), base.size());
  const size_t size =
      ZSTD_decompressDCtx(context.get(), whole.data(), whole.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(size) != 0) Broken(key, ZSTD_getErrorName(size));
  if (!object.ParseFromString(whole)) Broken(key, "no object");
  if (unpacked_.fetch_add(1, std::memory_order_relaxed) + 1 < kUnpackedAtMost) {
    state_.fetch_and(~kAway, std::memory_order_release);
    return;
  }
  packed_.reset();
  state_.fetch_and(~kFlags, std::memory_order_release);
}

bool Entry::Close() {
  uint64_t state = state_.load(std::memory_order_relaxed);
  do {
    if (IsHeld(state) || (state & kAway) != 0) return false;
  } while (!state_.compare_exchange_weak(state, state | kAway, std::memory_order_acquire));
  return true;
}

void Entry::LetGoCold() {
  // It stays while this looks at it.
  Keep();
  if (!IsHeld(state_.fetch_sub(kHeld, std::memory_order_acq_rel) - kHeld)) {
    MutexLock lock(mutex());
    if (packed_ != nullptr && Close()) object = v1::Object();
  }
  Drop(kKept);
}

EntryPtr MakeEntry(v1::Object object, store::Rev mod_rev, store::Rev create_rev) {
  MutableMeta(&object)->set_resource_version(absl::StrCat(mod_rev));
  auto* entry = new Entry(std::move(object), mod_rev, create_rev);
  entry->HoldAgain();
  return EntryPtr(entry);
}

absl::StatusOr<EntryPtr> ParseEntry(const store::Kv& kv) {
  v1::Object object;
  if (!object.ParseFromString(kv.value) || object.object_case() == v1::Object::OBJECT_NOT_SET) {
    return absl::DataLossError(absl::StrCat("store: the value of ", kv.key, " at revision ",
                                            kv.mod_rev,
                                            " is not an object; restore the store from a copy"));
  }
  EntryPtr entry = MakeEntry(std::move(object), kv.mod_rev, kv.create_rev);
  if (entry->key != kv.key) {
    return absl::DataLossError(absl::StrCat("store: ", kv.key, " at revision ", kv.mod_rev,
                                            " holds the object ", entry->key,
                                            "; restore the store from a copy"));
  }
  return entry;
}

std::string SerializeObject(const v1::Object& object) {
  if (Meta(object).resource_version().empty()) return StableBytes(object);
  v1::Object stored = object;
  MutableMeta(&stored)->clear_resource_version();
  return StableBytes(stored);
}

}  // namespace cluster
