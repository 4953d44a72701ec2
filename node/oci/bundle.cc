#include "node/oci/bundle.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::oci {
namespace {

constexpr char kAppArmor[] = "/sys/module/apparmor/parameters/enabled";
constexpr char kSelinux[] = "/sys/fs/selinux/enforce";

absl::StatusOr<std::string> RealDirectory(const std::string& path) {
  char real[PATH_MAX];
  if (::realpath(path.c_str(), real) == nullptr) return ErrnoStatus("open", path);
  struct stat info {};
  if (::stat(real, &info) != 0) return ErrnoStatus("stat", path);
  if (!S_ISDIR(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is no directory"));
  }
  return std::string(real);
}

}  // namespace

absl::StatusOr<Bundle> LoadBundle(const std::string& path, const std::string& config_file) {
  Bundle bundle;
  ASSIGN_OR_RETURN(bundle.path, RealDirectory(path.empty() ? "." : path));
  const bool absolute = absl::StartsWith(config_file, "/");
  ASSIGN_OR_RETURN(bundle.config_text,
                   ReadFile(absolute ? config_file : absl::StrCat(bundle.path, "/", config_file)));
  auto config = ReadConfig(bundle.config_text);
  if (!config.ok()) return Annotate(config.status(), config_file);
  bundle.config = *std::move(config);
  if (!bundle.config.process) {
    return absl::InvalidArgumentError(absl::StrCat(config_file, ": process: is required"));
  }
  const std::string& root = bundle.config.root_path;
  ASSIGN_OR_RETURN(
      bundle.rootfs,
      RealDirectory(absl::StartsWith(root, "/") ? root : absl::StrCat(bundle.path, "/", root)));
  if (bundle.rootfs == "/") {
    return absl::InvalidArgumentError(
        absl::StrCat(config_file, ": root.path: must not be the machine's own root"));
  }
  RETURN_IF_ERROR(Annotate(CheckMachine(bundle.config), config_file));
  return bundle;
}

absl::Status CheckMachine(const Process& process) {
  if (!process.apparmor_profile.empty() &&
      !absl::StartsWith(ReadFile(kAppArmor).value_or(""), "Y")) {
    return absl::FailedPreconditionError(
        "process.apparmorProfile: AppArmor is not enabled in this kernel");
  }
  if (!process.selinux_label.empty() && ::access(kSelinux, F_OK) != 0) {
    return absl::FailedPreconditionError(
        "process.selinuxLabel: SELinux is not enabled in this kernel");
  }
  return absl::OkStatus();
}

absl::Status CheckMachine(const Config& config) {
  if (config.process) RETURN_IF_ERROR(CheckMachine(*config.process));
  if (!config.linux_.mount_label.empty() && ::access(kSelinux, F_OK) != 0) {
    return absl::FailedPreconditionError("linux.mountLabel: SELinux is not enabled in this kernel");
  }
  return absl::OkStatus();
}

}  // namespace cluster::oci
