// The second half of PodNetwork: the watcher thread, which ends leases once their links are gone.
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>
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
    bool all = ::poll(pollers, 2, waiting ? kRecheckMilliseconds : -1) == 0;
    uint64_t count = 0;
    if (::read(wake_.get(), &count, sizeof count) < 0 && errno != EAGAIN) {
      LOG_WARN("{}", ErrnoStatus("read the network watcher's eventfd").ToString());
    }
    // Many links end together, and each is looked for once. Where the kernel had no room to tell,
    // all are.
    std::set<std::string> gone;
    for (;;) {
      const auto told = listener_.Listen(absl::ZeroDuration());
      if (absl::IsResourceExhausted(told.status())) {
        all = true;
        continue;
      }
      if (!told.ok() || told->empty()) break;
      for (const netlink::Reply& reply : *told) {
        // A port that leaves its bridge is told of in the same words.
        if (reply.type != RTM_DELLINK || reply.As<ifinfomsg>().ifi_family != AF_UNSPEC) continue;
        gone.insert(netlink::ParseLink(reply).name);
      }
    }
    {
      MutexLock lock(&mutex_);
      if (stopping_) return;
    }
    waiting = FinishReleases(gone, all);
  }
}

// True while some released pod's link is left.
bool PodNetwork::FinishReleases(const std::set<std::string>& gone, bool all) {
  std::map<std::string, Tenant> released;
  bool waiting = false;
  {
    MutexLock lock(&mutex_);
    for (auto& [uid, tenant] : tenants_) {
      if (!tenant.released) continue;
      if (all || !tenant.looked_at || gone.contains(LinkNameOf(uid, tenant.lease))) {
        released.emplace(uid, tenant);
        tenant.looked_at = true;
      } else {
        waiting = true;
      }
    }
  }
  for (const auto& [uid, tenant] : released) waiting = !FinishRelease(uid, tenant) || waiting;
  return waiting;
}

bool PodNetwork::FinishRelease(const std::string& uid, const Tenant& tenant) {
  const std::string name = LinkNameOf(uid, tenant.lease);
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
  forgotten.Update(services_.Forget(tenant.lease.address));
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
