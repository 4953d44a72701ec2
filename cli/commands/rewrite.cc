#include "cli/commands/rewrite.h"

#include "base/status.h"
#include "proto/schema/kinds.h"

namespace cluster::cli {
namespace {

// Somebody else may write between our read and our write; so often we read again.
constexpr int kAttempts = 5;

}  // namespace

absl::StatusOr<bool> Rewrite(Client& client, v1::Object object,
                             const std::function<absl::StatusOr<bool>(v1::Object*)>& change) {
  absl::Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const v1::ObjectMeta meta = Meta(object);
    ASSIGN_OR_RETURN(const bool changed, change(&object));
    if (!changed) return false;
    v1::ApplyRequest request;
    *request.add_objects() = object;
    status = client.Apply(std::move(request)).status();
    if (status.ok()) return true;
    if (!absl::IsAborted(status)) return status;
    ASSIGN_OR_RETURN(object, client.Get(KindOf(object).name, meta.namespace_(), meta.name()));
  }
  return status;
}

}  // namespace cluster::cli
