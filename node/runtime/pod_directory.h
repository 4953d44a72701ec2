// A pod's files.
//
//   STATE/pods/UID/sandbox                       its SandboxSpec (JSON); written first
//   STATE/pods/UID/ids                           link whose text is the first host id of its users
//   STATE/pods/UID/released                      it is over: records and logs are all that is left
//   STATE/pods/UID/volumes/                      see node/volume
//   STATE/pods/UID/cpus                          cpus that are its containers' alone
//   STATE/pods/UID/containers/CONTAINER/ATTEMPT.log    what is being written
//   STATE/pods/UID/containers/CONTAINER/ATTEMPT.log.N  what was before, N counts up
//   STATE/pods/UID/containers/CONTAINER/ATTEMPT/ upper/ work/ started exit; the root's mount point
//   STATE/pods/UID/containers/CONTAINER/ATTEMPT/termination-log  mounted where it says why it ends
//   RUN/pods/UID/init.sock
//   RUN/pods/UID/init.log                        what its cluster-init has to complain about
//   RUN/pods/UID/etc/{hosts,hostname,resolv.conf}
//   RUN/pods/UID/volumes/                        see VolumePlace::attach_directory
//   RUN/pods/UID/ready                           made when its network is attached
//   STATE/skeleton/                              see MakeSkeleton
//
// `started` and `exit` are written by cluster-init (node/init/record.cc): lines of "key value".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/unique_handle.h"
#include "node/runtime/runtime.h"
#include "node/volume/remove_tree.h"

namespace cluster::node {

inline constexpr char kTerminationFile[] = "termination-log";

// Letters, digits, "_+.-", not starting with '.' or '-', at most 128 bytes: one path component.
// InvalidArgument with a sentence that names `what`.
absl::Status CheckName(absl::string_view what, absl::string_view name);

// Paths and files of one pod. A value; the uid was checked by CheckName.
class PodDirectory {
 public:
  PodDirectory(const std::string& state_dir, const std::string& run_dir, const std::string& uid);

  const std::string& state() const { return state_; }
  const std::string& run() const { return run_; }
  std::string etc() const { return run_ + "/etc"; }
  std::string init_log() const { return run_ + "/init.log"; }
  std::string ready() const { return run_ + "/ready"; }
  std::string attached_volumes() const { return run_ + "/volumes"; }
  std::string cpus() const { return state_ + "/cpus"; }
  std::string volumes() const { return state_ + "/volumes"; }
  std::string logs(const std::string& container) const {
    return state_ + "/containers/" + container;
  }
  std::string instance(const std::string& container, int32_t attempt) const;

  // mkdir of state and run, nothing below. `fresh` tells whether there was nothing before.
  absl::Status Make(bool* fresh) const;
  absl::StatusOr<UniqueFd> OpenRun() const;  // NotFound

  absl::Status WriteSandbox(const SandboxSpec& spec) const;
  // NotFound; DataLoss when it does not read back.
  absl::StatusOr<SandboxSpec> ReadSandbox() const;
  // Host id of the pod's root; none without a user namespace. A link, as it is there whole or not.
  absl::Status RecordFirstId(uint32_t first_id) const;
  absl::Status ForgetFirstId() const;
  std::optional<uint32_t> ReadFirstId() const;
  // The files belong to the pod's root.
  absl::Status WriteEtc(const SandboxSpec& spec, const std::string& ip) const;
  // Nothing is marked where there is nothing of the pod.
  bool IsReleased() const;
  absl::Status MarkReleased() const;
  bool IsReady() const;
  absl::Status MarkReady() const;
  // When the socket of its cluster-init was made: see SandboxState.
  absl::StatusOr<int64_t> SandboxBirth() const;

  // With work/, and upper/ with the mode and owner of `top_layer`, as it becomes the root.
  // `first_id` is the host's for the owner 0.
  absl::Status MakeInstance(const std::string& container, int32_t attempt,
                            const std::string& top_layer, uint32_t first_id = 0) const;
  // Attempts on disk, ascending, by container.
  std::map<std::string, std::vector<int32_t>> ListInstances() const;
  // Its directory and its log files.
  absl::Status RemoveInstance(const std::string& container, int32_t attempt) const;
  // What the files say: kExited with an exit file, kUnknown when it was started and nobody wrote
  // one, none when it never started.
  std::optional<ContainerState> ReadInstance(const std::string& container, int32_t attempt) const;

  // What the instance wrote about its end: the last 4096 bytes. "" where there is nothing.
  absl::StatusOr<std::string> ReadTermination(const std::string& container, int32_t attempt) const;
  // In cluster-init's stead: an end that the kernel alone knew of. Durable.
  absl::Status WriteExit(const ContainerState& state) const;

  // The last lines of init.log, for error messages.
  std::string Complaints() const;

 private:
  std::string state_;
  std::string run_;
};

// A layer to lie under every image: empty mount points for what every container gets mounted, so
// that starting one writes nothing into its own layer. Returns its path.
absl::StatusOr<std::string> MakeSkeleton(const std::string& state_dir);

// The text of an `exit` or `started` file. Pure. False when it is neither.
bool ParseInstanceFile(absl::string_view text, ContainerState* state);

std::string EncodeSandbox(const SandboxSpec& spec);
absl::StatusOr<SandboxSpec> DecodeSandbox(absl::string_view text);

// Writes a file; a crash may leave a part of it.
absl::Status WriteNewFile(const std::string& path, absl::string_view content, unsigned mode);
// Replaces a file by rename, without waiting for the disk.
absl::Status ReplaceFile(const std::string& path, absl::string_view content, unsigned mode);

}  // namespace cluster::node
