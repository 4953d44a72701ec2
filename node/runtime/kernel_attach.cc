// How KernelRuntime joins pods to the network: beside the caller, as half of it is waiting for
// locks of the kernel's, and a container's own preparation goes on meanwhile. Only a container's
// process waits for it. One strand is enough: the kernel does one of these at a time anyway.
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "node/runtime/kernel_runtime.h"

namespace cluster::node {

absl::Status KernelRuntime::Attach(const std::string& uid, InitWelcome welcome, bool joined) {
  const PodDirectory directory = DirectoryOf(uid);
  ASSIGN_OR_RETURN(const SandboxSpec spec, directory.ReadSandbox());
  if (!spec.host_network && !joined) {
    RETURN_IF_ERROR(options_.network->Attach(uid, welcome.net_namespace.get(),
                                             std::move(welcome.route_socket)));
  }
  // Now that every interface is there.
  if (!spec.sysctls.empty()) {
    ASSIGN_OR_RETURN(InitClient init, Connect(uid));
    RETURN_IF_ERROR(init.SetSysctls(spec.sysctls));
  }
  return directory.MarkReady();
}

void KernelRuntime::AttachInBackground(const std::string& uid, InitWelcome welcome, bool joined) {
  {
    MutexLock lock(&mutex_);
    attaching_.insert(uid);
  }
  auto shared = std::make_shared<InitWelcome>(std::move(welcome));
  network_strand_.Post([this, uid, shared, joined] {
    const absl::Status attached = Attach(uid, std::move(*shared), joined);
    MutexLock lock(&mutex_);
    attaching_.erase(uid);
    // Whoever needs the network finds the pod not ready, tries again and hears why.
    attached_.SignalAll();
  });
}

void KernelRuntime::AwaitAttach(const std::string& uid) {
  MutexLock lock(&mutex_);
  while (attaching_.contains(uid)) attached_.Wait(&mutex_);
}

absl::Status KernelRuntime::EnsureAttached(const std::string& uid) {
  AwaitAttach(uid);
  const PodDirectory directory = DirectoryOf(uid);
  if (directory.IsReady()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const SandboxSpec spec, directory.ReadSandbox());
  std::string ip;
  if (!spec.host_network) {
    ASSIGN_OR_RETURN(const PodAddress address, ReserveFor(spec));
    ip = ToString(address.ip);
  }
  RETURN_IF_ERROR(directory.WriteEtc(spec, ip));
  ASSIGN_OR_RETURN(InitClient init, Connect(uid));
  // An agent that ended in the middle may have left its groups as incomplete as its network.
  ASSIGN_OR_RETURN(const CgroupGroup group, MakeInitGroup(spec));
  ASSIGN_OR_RETURN(const std::vector<UniqueFd> tasks, group.OpenTasks());
  ASSIGN_OR_RETURN(InitWelcome welcome, init.Hello(NumbersOf(tasks)));
  return Annotate(Attach(uid, std::move(welcome)), absl::StrCat("network of pod ", uid));
}

}  // namespace cluster::node
