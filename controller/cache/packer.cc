#include "controller/cache/packer.h"

#include <zstd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/schema/kinds.h"
#include "proto/schema/stable_bytes.h"

namespace cluster {
namespace {

std::string SistersOf(const v1::Object& object) {
  const v1::ObjectMeta& meta = Meta(object);
  const v1::OwnerReference* owner = ControllerOf(meta);
  return absl::StrCat(static_cast<int>(object.object_case()), "/", meta.namespace_(), "/",
                      owner == nullptr ? "" : owner->uid());
}

}  // namespace

Packer::Packer() : context_(ZSTD_createCCtx()) {}

Packer::~Packer() { ZSTD_freeCCtx(context_); }

bool Packer::PackUnused(const KeptEntry& entry) {
  entry.entry_->unpacked_.store(0, std::memory_order_relaxed);
  return !entry.entry_->used_.exchange(false, std::memory_order_relaxed) && Pack(entry);
}

bool Packer::Pack(const KeptEntry& kept) {
  Entry* const entry = kept.entry_;
  const uint64_t state = entry->state_.load(std::memory_order_relaxed);
  if (Entry::IsHeld(state) || (state & Entry::kCold) != 0) return false;
  MutexLock lock(entry->mutex());
  // Whoever wants to hold it from here on waits for the mutex.
  if (!entry->Close()) return false;
  entry->packed_ = Packed(entry->object);
  if (entry->packed_ == nullptr) {
    entry->state_.fetch_and(~Entry::kAway, std::memory_order_release);
    return false;
  }
  entry->object = v1::Object();
  entry->state_.fetch_or(Entry::kCold, std::memory_order_release);
  return true;
}

PackedObject::Ptr Packer::Packed(const v1::Object& object) {
  std::string whole = StableBytes(object);
  if (bases_.size() >= prune_at_) {
    absl::erase_if(bases_, [](const auto& each) { return each.second.expired(); });
    prune_at_ = std::max<size_t>(1024, 2 * bases_.size());
  }
  std::weak_ptr<const std::string>& sister = bases_[SistersOf(object)];
  if (const Base base = sister.lock(); base != nullptr) {
    const std::string bytes = Compress(whole, base.get());
    if (!bytes.empty() && bytes.size() * 2 < whole.size()) return PackedObject::Make(base, bytes);
  }
  // The first of its kind and owner, or too different: the next ones are compressed against it.
  const auto base = std::make_shared<const std::string>(std::move(whole));
  const std::string bytes = Compress(*base, base.get());
  if (bytes.empty()) return nullptr;
  sister = base;
  return PackedObject::Make(base, bytes);
}

std::string Packer::Compress(const std::string& bytes, const std::string* base) {
  std::string compressed(ZSTD_compressBound(bytes.size()), '\0');
  ZSTD_CCtx_refPrefix(context_, base->data(), base->size());
  const size_t size =
      ZSTD_compress2(context_, compressed.data(), compressed.size(), bytes.data(), bytes.size());
  compressed.resize(ZSTD_isError(size) != 0 ? 0 : size);
  return compressed;
}

}  // namespace cluster
