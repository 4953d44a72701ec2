// The second half of PodNetwork: the watcher thread, which ends leases once their links are gone.
#include <poll.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/netlink_route.h"
#include "base/status.h"
#include "node/network/pod_network.h"

namespace cluster::node {
namespace {

// How often to look at links that should be gone, in case nobody told.
constexpr int kRecheckMilliseconds = 500;

}  // namespace

void PodNetwork::Wake() const {
  const uint64_t one = 1;
  // A full counter (EAGAIN) wakes as well.
  if (::write(wake_.get(), &one, sizeof one) < 0 && errno != EAGAIN) {
    LOG_WARN("{}", ErrnoStatus("wake the network watcher").ToString());
  }
}

bool PodNetwork::AwaitReleased(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  MutexLock lock(&mutex_);
  for (;;) {
    bool waiting = false;
    for (const auto& [uid, tenant] : tenants_) waiting = waiting || tenant.released;
    if (!waiting) return true;
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(&mutex_, left);
  }
}

void PodNetwork::Watch() {
  bool waiting = true;
  for (;;) {
    pollfd pollers[] = {{wake_.get(), POLLIN, 0}, {listener_.fd(), POLLIN, 0}};
    ::poll(pollers, 2, waiting ? kRecheckMilliseconds : -1);
    uint64_t count = 0;
    if (::read(wake_.get(), &count, sizeof count) < 0 && errno != EAGAIN) {
      LOG_WARN("{}", ErrnoStatus("read the network watcher's eventfd").ToString());
    }
    // Many links end together: all that is known now is one reason to look. What was lost (a full
    // buffer) is no less a reason.
    for (;;) {
      const auto told = listener_.Listen(absl::ZeroDuration());
      if (told.ok() && told->empty()) break;
      if (!told.ok() && !absl::IsResourceExhausted(told.status())) break;
    }
    {
      MutexLock lock(&mutex_);
      if (stopping_) return;
    }
    waiting = FinishReleases();
  }
}

// True while some released pod's link is left.
bool PodNetwork::FinishReleases() {
  std::map<std::string, Tenant> released;
  {
    MutexLock lock(&mutex_);
    for (const auto& [uid, tenant] : tenants_) {
      if (tenant.released) released.emplace(uid, tenant);
    }
  }
  bool waiting = false;
  for (const auto& [uid, tenant] : released) waiting = !FinishRelease(uid, tenant) || waiting;
  return waiting;
}

bool PodNetwork::FinishRelease(const std::string& uid, const Tenant& tenant) {
  const std::string name = PodLinkName(uid);
  const auto link = netlink::FindLink(watcher_socket_, name);
  const absl::Duration now = config_.clock->Monotonic();
  if (!absl::IsNotFound(link.status())) {
    if (!link.ok()) LOG_WARN("{}", link.status().ToString());
    if (now - tenant.released_at < config_.linger) return false;
    // Whoever holds the pod's namespace open, the address is not theirs any more.
    const absl::Status deleted = watcher_socket_.Execute(netlink::DeleteLink(name).Allow(ENODEV));
    if (!deleted.ok()) {
      LOG_WARN("{}", deleted.ToString());
      return false;
    }
  }
  // Nobody has the address any more: who asks for it is told so. The bridge may be gone, too.
  absl::Status forgotten = watcher_socket_.Execute(
      netlink::DeleteNeighbour(bridge_, tenant.lease.address).Allow(ENOENT).Allow(ENODEV));
  // What clients still send to the pod must not reach the next one with its address.
  forgotten.Update(conntrack_->Forget(tenant.lease.ports));
  forgotten.Update(config_.journal->Remove(RecordKind::kAddressLease, uid));
  if (!forgotten.ok()) {
    LOG_WARN("address {} of pod {} stays taken: {}", ToString(tenant.lease.address), uid,
             forgotten.ToString());
    return false;
  }
  MutexLock lock(&mutex_);
  tenants_.erase(uid);
  pool_.GiveBack(tenant.lease.address, now);
  changed_.SignalAll();
  return true;
}

}  // namespace cluster::node
