#include "node/eviction/disk_limits.h"

#include <optional>

#include "absl/strings/str_cat.h"

#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

constexpr char kDisk[] = "ephemeral-storage";

std::optional<int64_t> LimitOf(const v1::Container& container) {
  const auto limit = container.resources().limits().find(kDisk);
  if (limit == container.resources().limits().end()) return std::nullopt;
  const auto bytes = QuantityBytes(limit->second);
  if (!bytes.ok()) return std::nullopt;
  return *bytes;
}

std::optional<int64_t> LimitOf(const v1::Volume& volume) {
  const v1::EmptyDirVolumeSource& source = volume.empty_dir();
  if (!volume.has_empty_dir() || source.medium() == v1::STORAGE_MEDIUM_MEMORY ||
      source.size_limit().empty()) {
    return std::nullopt;
  }
  const auto bytes = QuantityBytes(source.size_limit());
  if (!bytes.ok() || *bytes <= 0) return std::nullopt;
  return *bytes;
}

int64_t UseOf(const std::map<std::string, int64_t>& uses, const std::string& name) {
  const auto use = uses.find(name);
  return use == uses.end() ? 0 : use->second;
}

std::string VolumeOverrun(const v1::PodSpec& spec, const PodDisk& disk) {
  for (const v1::Volume& volume : spec.volumes()) {
    const std::optional<int64_t> limit = LimitOf(volume);
    if (!limit || UseOf(disk.volumes, volume.name()) <= *limit) continue;
    return absl::StrCat("Usage of EmptyDir volume \"", volume.name(), "\" exceeds the limit \"",
                        FormatBytes(*limit), "\".");
  }
  return "";
}

}  // namespace

int64_t PodDisk::total() const {
  int64_t sum = 0;
  for (const auto* uses : {&volumes, &containers}) {
    for (const auto& [name, bytes] : *uses) sum += bytes;
  }
  return sum;
}

bool HasDiskLimits(const v1::PodSpec& spec) {
  for (const v1::Volume& volume : spec.volumes()) {
    if (LimitOf(volume)) return true;
  }
  for (const auto* containers : {&spec.containers(), &spec.init_containers()}) {
    for (const v1::Container& container : *containers) {
      if (LimitOf(container)) return true;
    }
  }
  return false;
}

std::string DiskOverrun(const v1::PodSpec& spec, const PodDisk& disk) {
  std::string volume = VolumeOverrun(spec, disk);
  if (!volume.empty()) return volume;
  int64_t sum = 0;
  bool all_limited = true;
  for (const auto* containers : {&spec.containers(), &spec.init_containers()}) {
    for (const v1::Container& container : *containers) {
      const std::optional<int64_t> limit = LimitOf(container);
      if (containers == &spec.containers()) {
        all_limited = all_limited && limit.has_value();
        sum += limit.value_or(0);
      }
      if (!limit || UseOf(disk.containers, container.name()) <= *limit) continue;
      return absl::StrCat("Container ", container.name(),
                          " exceeded its local ephemeral storage limit \"", FormatBytes(*limit),
                          "\".");
    }
  }
  // Volumes on disk are within no container's limit, but within that of all together.
  if (!all_limited || disk.total() <= sum) return "";
  return absl::StrCat("Pod ephemeral local storage usage exceeds the total limit of containers ",
                      FormatBytes(sum), ".");
}

}  // namespace cluster::node
