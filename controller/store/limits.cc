#include "controller/store/limits.h"

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace cluster::store {

absl::Status CheckLimits(const Txn& txn) {
  if (txn.ops.size() > kMaxOps || txn.conds.size() > kMaxOps) {
    return absl::ResourceExhaustedError(
        absl::StrCat("store: a transaction of ", txn.ops.size(), " operations and ",
                     txn.conds.size(), " conditions; at most ", kMaxOps, " of each fit, split it"));
  }
  if (txn.write_id.size() > kMaxWriteId) {
    return absl::InvalidArgumentError(absl::StrCat("store: a write_id of ", txn.write_id.size(),
                                                   " bytes; at most ", kMaxWriteId, " are kept"));
  }
  size_t bytes = 0;
  absl::flat_hash_set<absl::string_view> keys;
  for (const Op& op : txn.ops) {
    if (op.key.empty()) return absl::InvalidArgumentError("store: an operation has an empty key");
    if (!keys.insert(op.key).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("store: the key ", op.key, " occurs twice in one transaction"));
    }
    bytes += op.key.size() + op.value.size();
  }
  for (const Cond& cond : txn.conds) {
    if (cond.key.empty()) return absl::InvalidArgumentError("store: a condition has an empty key");
    bytes += cond.key.size();
  }
  if (bytes > kMaxBytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "store: a transaction of ", bytes, " bytes; at most ", kMaxBytes, " fit, split it"));
  }
  return absl::OkStatus();
}

bool FreesSpace(const Txn& txn) {
  if (txn.for_deletion) return true;
  for (const Op& op : txn.ops) {
    if (op.kind != Op::Kind::kDelete) return false;
  }
  return true;
}

}  // namespace cluster::store
