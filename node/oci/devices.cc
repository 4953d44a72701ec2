#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "node/oci/paths.h"
#include "node/oci/root_builder.h"

namespace cluster::oci {
namespace {

bool IsThere(const Device& device, const struct stat& info) {
  if ((info.st_mode & S_IFMT) != device.type) return false;
  return device.type == S_IFIFO || info.st_rdev == makedev(device.major, device.minor);
}

}  // namespace

// A /dev of the host's is not ours to fill.
bool RootBuilder::MakesOwnDevices() const {
  for (size_t i = 0; i < config_.mounts.size(); ++i) {
    if (CleanPath(config_.mounts[i].destination) == "/dev" &&
        inputs_.sources->mounts[i].options.bind) {
      return false;
    }
  }
  return true;
}

absl::Status RootBuilder::MakeDevices() {
  for (const Device& device : DevicesOf(config_)) {
    const std::string path = CleanPath(device.path);
    const auto tree = inputs_.sources->devices.find(device.path);
    if (tree != inputs_.sources->devices.end()) {
      // Device nodes made in a user namespace do not open.
      ASSIGN_OR_RETURN(const UniqueFd target, MakeFileIn(root_, path, Links::kRefuse));
      RETURN_IF_ERROR(AttachTree(tree->second.get(), target.get(), path));
      continue;
    }
    ASSIGN_OR_RETURN(const UniqueFd parent, MakeDirectoryIn(root_, ParentOf(path), Links::kRefuse));
    RETURN_IF_ERROR(MakeDevice(device, parent.get()));
  }
  return absl::OkStatus();
}

absl::Status RootBuilder::MakeDevice(const Device& device, int directory) {
  const std::string name = BaseOf(CleanPath(device.path));
  if (::mknodat(directory, name.c_str(), device.type | device.mode,
                makedev(device.major, device.minor)) != 0) {
    const absl::Status refused = ErrnoStatus("make device", device.path);
    struct stat info {};
    if (!absl::IsAlreadyExists(refused) ||
        ::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return refused;
    }
    if (!IsThere(device, info)) {
      return absl::FailedPreconditionError(
          absl::StrCat("make device ", device.path, ": the image has something else there"));
    }
  }
  if (::fchownat(directory, name.c_str(), device.uid, device.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return ErrnoStatus("give device to its owner", device.path);
  }
  return absl::OkStatus();
}

// What software expects beside the devices; what the image has there itself stays.
absl::Status RootBuilder::MakeLinks() {
  constexpr std::pair<const char*, const char*> kLinks[] = {
      {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
      {"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"},      {"ptmx", "pts/ptmx"}};
  ASSIGN_OR_RETURN(const UniqueFd dev, MakeDirectoryIn(root_, "/dev", Links::kRefuse));
  for (const auto& [name, target] : kLinks) {
    if (::symlinkat(target, dev.get(), name) != 0 && errno != EEXIST) {
      return ErrnoStatus("make link", absl::StrCat("/dev/", name));
    }
  }
  return absl::OkStatus();
}

}  // namespace cluster::oci
