#include "node/volume/usage.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"
#include "node/volume/walk.h"

namespace cluster::node {
namespace {

constexpr int64_t kStatBlock = 512;  // of st_blocks, stat(2)

std::vector<std::string> NamesIn(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  return names;
}

// An instance's directory, or one of its log files.
absl::Status AddEntry(const std::string& path, DiskUsage* layers, DiskUsage* logs) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoStatus("stat", path);
  }
  if (S_ISDIR(info.st_mode)) {
    ASSIGN_OR_RETURN(const DiskUsage usage, MeasureTree(path));
    *layers += usage;
  } else {
    *logs += DiskUsage{info.st_blocks * kStatBlock, 1};
  }
  return absl::OkStatus();
}

}  // namespace

DiskUsage& DiskUsage::operator+=(const DiskUsage& other) {
  bytes += other.bytes;
  inodes += other.inodes;
  complete = complete && other.complete;
  return *this;
}

absl::StatusOr<DiskUsage> MeasureTree(const std::string& directory) {
  DiskUsage usage;
  auto root = OpenAt(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (absl::IsNotFound(root.status())) return usage;
  RETURN_IF_ERROR(root.status());
  struct stat top {};
  if (fstat(root->get(), &top) != 0) return ErrnoStatus("stat", directory);
  usage = {top.st_blocks * kStatBlock, 1};
  absl::flat_hash_set<ino_t> seen;  // of files with several names
  auto complete =
      WalkTree(root->get(), kMostCounted, [&](int, const char*, const struct stat& info) {
        if (!S_ISDIR(info.st_mode) && info.st_nlink > 1 && !seen.insert(info.st_ino).second) {
          return absl::OkStatus();
        }
        usage += DiskUsage{info.st_blocks * kStatBlock, 1};
        return absl::OkStatus();
      });
  if (!complete.ok()) return Annotate(complete.status(), directory);
  usage.complete = *complete;
  return usage;
}

DiskUsage PodUsage::Total() const {
  DiskUsage total;
  for (const auto* part : {&volumes, &layers, &logs}) {
    for (const auto& [name, usage] : *part) total += usage;
  }
  return total;
}

absl::StatusOr<PodUsage> MeasurePod(const std::string& pod_directory) {
  PodUsage usage;
  const std::string volumes = pod_directory + "/volumes";
  for (const std::string& name : NamesIn(volumes)) {
    ASSIGN_OR_RETURN(usage.volumes[name], MeasureTree(absl::StrCat(volumes, "/", name)));
  }
  const std::string containers = pod_directory + "/containers";
  for (const std::string& container : NamesIn(containers)) {
    const std::string directory = absl::StrCat(containers, "/", container);
    for (const std::string& entry : NamesIn(directory)) {
      RETURN_IF_ERROR(AddEntry(absl::StrCat(directory, "/", entry), &usage.layers[container],
                               &usage.logs[container]));
    }
  }
  return usage;
}

}  // namespace cluster::node
