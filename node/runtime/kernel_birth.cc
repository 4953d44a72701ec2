// How a pod's cluster-init is brought to life by KernelRuntime: from a mould that is ready where
// there is one, so that nobody waits for namespaces.
#include <fcntl.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "node/runtime/kernel_runtime.h"

namespace cluster::node {
namespace {

uint32_t FlagsOf(const SandboxSpec& spec) {
  uint32_t flags = 0;
  if (!spec.host_users) flags |= init::kPodHasUsers;
  if (spec.share_process_namespace) flags |= init::kPodSharesProcesses;
  if (spec.host_network) flags |= init::kPodInNodeNetwork;
  if (spec.host_ipc) flags |= init::kPodInNodeIpc;
  return flags;
}

// What a mould can have ready before it is known for which pod.
bool IsUsual(uint32_t flags) { return (flags & ~uint32_t{init::kPodHasUsers}) == 0; }

}  // namespace

std::unique_ptr<KernelRuntime::Spare> KernelRuntime::TakeSpare(uint32_t flags) {
  if (!IsUsual(flags)) return nullptr;
  MutexLock lock(&mutex_);
  wanted_spares_.insert(flags);
  const auto found = std::find_if(spares_.begin(), spares_.end(),
                                  [flags](const auto& spare) { return spare->flags == flags; });
  if (found == spares_.end()) return nullptr;
  std::unique_ptr<Spare> spare = std::move(*found);
  spares_.erase(found);
  return spare;
}

// A spare one with its ids and its network, or one that is ordered now. Ids and address are
// recorded before a process of the pod's has them.
absl::StatusOr<KernelRuntime::Begun> KernelRuntime::TakeMould(const SandboxSpec& spec,
                                                              const PodDirectory& directory,
                                                              std::optional<uint32_t>* first_id) {
  const uint32_t flags = FlagsOf(spec);
  *first_id = directory.ReadFirstId();
  const bool wants_ids = !spec.host_users && !first_id->has_value();
  std::unique_ptr<Spare> spare;
  if (wants_ids || spec.host_users) spare = TakeSpare(flags);
  if (wants_ids) {
    if (spare != nullptr) {
      *first_id = spare->first_id;
    } else {
      MutexLock lock(&mutex_);
      ASSIGN_OR_RETURN(*first_id, ids_.Take());
    }
    const absl::Status recorded = directory.RecordFirstId(**first_id);
    if (!recorded.ok()) ReturnIds(*first_id);
    RETURN_IF_ERROR(recorded);
  }
  if (spare != nullptr) {
    bool joined = false;
    if (!spare->network.empty()) {
      ASSIGN_OR_RETURN(const std::vector<PublishedPort> ports, PortsOf(spec));
      const auto handed = options_.network->Hand(spare->network, spec.uid, ports);
      joined = handed.ok();
      // Its ports are taken, say. Who reserves an address next hears of it.
      if (!joined) RETURN_IF_ERROR(options_.network->Release(spare->network));
    }
    if (joined || spare->network.empty()) return Begun{std::move(spare->mould), joined};
  }
  const uint32_t ready = IsUsual(flags) ? uint32_t{init::kMouldReady} : 0u;
  ASSIGN_OR_RETURN(InitClient mould, template_->Order(flags | ready, first_id->value_or(0)));
  return Begun{std::move(mould), false};
}

void KernelRuntime::OrderSpares() {
  if (options_.spares == 0) return;
  {
    MutexLock lock(&mutex_);
    if (spares_ordered_) return;
    spares_ordered_ = true;
  }
  spare_strand_.Post([this] { KeepSpares(); });
}

void KernelRuntime::KeepSpares() {
  std::set<uint32_t> wanted;
  {
    MutexLock lock(&mutex_);
    if (!spares_ordered_) return;
    spares_ordered_ = false;
    wanted = wanted_spares_;
    keeping_spares_ = true;
  }
  for (const uint32_t flags : wanted) KeepSparesOf(flags);
  MutexLock lock(&mutex_);
  keeping_spares_ = false;
  spares_kept_.SignalAll();
}

void KernelRuntime::KeepSparesOf(uint32_t flags) {
  for (;;) {
    std::optional<uint32_t> first_id;
    {
      MutexLock lock(&mutex_);
      const auto same = std::count_if(spares_.begin(), spares_.end(),
                                      [flags](const auto& one) { return one->flags == flags; });
      if (same >= options_.spares || dropping_spares_) return;
      if ((flags & init::kPodHasUsers) != 0) {
        const auto taken = ids_.Take();
        if (!taken.ok()) return;  // the last ones are for pods
        first_id = *taken;
      }
    }
    auto spare = MakeSpare(flags, first_id);
    if (!spare.ok()) {
      LOG_WARN("cluster-init: {}", std::string(spare.status().message()));
      return ReturnIds(first_id);
    }
    MutexLock lock(&mutex_);
    spares_.push_back(*std::move(spare));
  }
}

// Without a network where there is none to be had now.
absl::StatusOr<std::unique_ptr<KernelRuntime::Spare>> KernelRuntime::MakeSpare(
    uint32_t flags, std::optional<uint32_t> first_id) {
  const uint32_t order = flags | init::kMouldReady | init::kMouldTells;
  ASSIGN_OR_RETURN(InitClient mould, template_->Order(order, first_id.value_or(0)));
  ASSIGN_OR_RETURN(InitWelcome moulded, mould.AwaitMoulded());
  auto spare = std::make_unique<Spare>(Spare{flags, first_id, std::move(mould), ""});
  // Never used before, not by an earlier agent either.
  const std::string name = absl::StrCat("spare-", absl::GetCurrentTimeNanos());
  absl::Status joined = options_.network->ReserveSpare(name);
  if (!joined.ok()) return spare;
  joined =
      options_.network->Attach(name, moulded.net_namespace.get(), std::move(moulded.route_socket));
  if (joined.ok()) {
    spare->network = name;
    return spare;
  }
  LOG_WARN("network of a spare pod: {}", std::string(joined.message()));
  RETURN_IF_ERROR(options_.network->Release(name));
  return spare;
}

void KernelRuntime::DropSpares() {
  std::list<std::unique_ptr<Spare>> dropped;
  {
    MutexLock lock(&mutex_);
    spares_ordered_ = false;
    dropping_spares_ = true;
    while (keeping_spares_) spares_kept_.Wait(&mutex_);
    dropping_spares_ = false;
    dropped.swap(spares_);
    for (const auto& spare : dropped) {
      if (spare->first_id.has_value()) ids_.Release(*spare->first_id);
    }
  }
  for (const auto& spare : dropped) {
    spare->mould.HangUp();
    if (spare->network.empty()) continue;
    const absl::Status released = options_.network->Release(spare->network);
    if (!released.ok()) LOG_WARN("{}", std::string(released.message()));
  }
}

absl::StatusOr<CgroupGroup> KernelRuntime::MakeInitGroup(const SandboxSpec& spec) {
  RETURN_IF_ERROR(options_.cgroups->MakePod(spec.uid, StartingLimits(spec)).status());
  // It does little, but what it does the containers wait for: starts, and room in their log pipes.
  CgroupLimits limits;
  limits.cpu_request_milli = 1000;
  if (options_.cpus.empty()) return options_.cgroups->MakeInitLeaf(spec.uid, limits);
  return MakeCommonLeaf(spec.uid, kInitLeaf, limits);
}

// Its v1 groups are made while it comes to be, and it is greeted with their `tasks` files; the
// answer is the caller's to await.
absl::StatusOr<KernelRuntime::Begun> KernelRuntime::BeginInit(const SandboxSpec& spec,
                                                              const PodDirectory& directory,
                                                              bool in_its_group) {
  std::optional<uint32_t> first_id;
  ASSIGN_OR_RETURN(Begun begun, TakeMould(spec, directory, &first_id));
  InitClient& init = begun.init;
  ASSIGN_OR_RETURN(UniqueFd birthplace, options_.cgroups->MakeBirthplace(spec.uid, kInitLeaf));
  std::optional<CgroupGroup> group;
  if (!birthplace) {
    ASSIGN_OR_RETURN(group, MakeInitGroup(spec));
  }
  ASSIGN_OR_RETURN(UniqueFd run, directory.OpenRun());
  ASSIGN_OR_RETURN(UniqueFd listener, InitClient::Listen(run.get(), kInitSocket));
  ASSIGN_OR_RETURN(UniqueFd log,
                   OpenAt(AT_FDCWD, directory.init_log(), O_WRONLY | O_CREAT | O_APPEND, 0600));
  InitBecome become{spec.uid,  spec.hostname, FlagsOf(spec), first_id.value_or(0),
                    log.get(), listener.get()};
  UniqueFd lease;
  if (!spec.lease_file.empty()) {
    ASSIGN_OR_RETURN(lease, OpenAt(AT_FDCWD, spec.lease_file, O_RDONLY));
    become.lease = lease.get();
  }
  if (in_its_group) become.cgroup2 = birthplace ? birthplace.get() : group->unified_fd();
  RETURN_IF_ERROR(init.Become(become));
  if (!group.has_value()) {
    ASSIGN_OR_RETURN(group, MakeInitGroup(spec));
  }
  ASSIGN_OR_RETURN(const std::vector<UniqueFd> tasks, group->OpenTasks());
  RETURN_IF_ERROR(init.Greet(NumbersOf(tasks), true));
  return begun;
}

// The slow way, once the quick one has failed: a mould may have died while it was kept, and a group
// that was killed once may kill what is cloned into it (see SpawnProgram).
absl::StatusOr<InitWelcome> KernelRuntime::BeginAnew(const SandboxSpec& spec,
                                                     const PodDirectory& directory,
                                                     absl::StatusOr<Begun>* begun) {
  DropSpares();
  *begun = BeginInit(spec, directory, false);
  RETURN_IF_ERROR(begun->status());
  ASSIGN_OR_RETURN(InitWelcome welcome, (*begun)->init.AwaitWelcome());
  ASSIGN_OR_RETURN(const CgroupGroup leaf, options_.cgroups->FindLeaf(spec.uid, kInitLeaf));
  RETURN_IF_ERROR(leaf.Enter(welcome.pid));
  return welcome;
}

}  // namespace cluster::node
