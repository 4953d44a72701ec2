#include "node/session/claim_eraser.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace cluster::node {
namespace {

constexpr absl::Duration kFirstWait = absl::Milliseconds(200);
constexpr absl::Duration kLongestWait = absl::Seconds(30);

}  // namespace

ClaimEraser::ClaimEraser(Runtime* runtime, std::function<bool(const std::string& uid)> in_use,
                         std::function<void(const std::string& uid)> erased, Executor* executor)
    : runtime_(runtime),
      in_use_(std::move(in_use)),
      erased_(std::move(erased)),
      strand_("claims", executor) {}

void ClaimEraser::Erase(const std::vector<std::string>& uids) {
  for (const std::string& uid : uids) {
    strand_.Post([this, uid] {
      if (busy_.insert(uid).second) Try(uid, kFirstWait);
    });
  }
}

void ClaimEraser::Try(const std::string& uid, absl::Duration wait) {
  absl::Status status =
      in_use_(uid) ? absl::UnavailableError("a pod still uses it") : runtime_->RemoveClaim(uid);
  if (status.ok()) {
    busy_.erase(uid);
    LOG_INFO("claim {}: its data is removed", uid);
    erased_(uid);
    return;
  }
  if (wait == kFirstWait) LOG_WARN("claim {} is not removed yet: {}", uid, status.ToString());
  strand_.PostAfter(wait, [this, uid, wait] { Try(uid, std::min(wait * 2, kLongestWait)); });
}

}  // namespace cluster::node
