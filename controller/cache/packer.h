// Packs entries that nobody looks at.
//
// Objects of one owner say nearly the same: a pod of a Deployment differs from its sister by its
// name, uid, node, address and times. So each is compressed (zstd, RFC 8878) against the bytes of
// one of its kind and owner, and takes a tenth of its serialized form.
#pragma once

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"

#include "controller/cache/entry.h"

struct ZSTD_CCtx_s;

namespace cluster {

// Not thread-safe: one owner packs. Entries may be held by other threads meanwhile.
class Packer {
 public:
  Packer();
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;
  ~Packer();

  // Packs the entry, unless somebody holds it. True when it is packed by this call.
  bool Pack(const KeptEntry& entry);
  // The same, but not what was held since this last came by.
  bool PackUnused(const KeptEntry& entry);

 private:
  using Base = PackedObject::Base;
  // Empty when there is no memory for it.
  std::string Compress(const std::string& bytes, const std::string* base);
  // nullptr then.
  PackedObject::Ptr Packed(const v1::Object& object);

  ZSTD_CCtx_s* const context_;
  // By kind, namespace and owner: what sisters are compressed against.
  absl::flat_hash_map<std::string, std::weak_ptr<const std::string>> bases_;
  size_t prune_at_ = 1024;
};

}  // namespace cluster
