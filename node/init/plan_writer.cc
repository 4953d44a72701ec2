#include "node/init/plan_writer.h"

#include <sys/mman.h>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::node {
namespace {

class PlanWriter {
 public:
  void Text(const std::string& text) {
    if (text.find('\0') != std::string::npos) has_nul_ = true;
    wire_.String(text.data(), text.size());
  }

  void Texts(const std::vector<std::string>& texts) {
    Count(texts.size());
    for (const std::string& text : texts) Text(text);
  }

  void Count(size_t count) { wire_.U32(static_cast<uint32_t>(count)); }

  void Mounts(const MountPlan& plan) {
    Count(plan.mounts.size());
    for (const PlannedMount& mount : plan.mounts) {
      wire_.U32(static_cast<uint32_t>(mount.kind));
      wire_.U32(mount.flags);
      Text(mount.source);
      Text(mount.target);
      wire_.U64(mount.attributes);
      Pairs(mount.options);
    }
    Count(plan.devices.size());
    for (const PlannedDevice& device : plan.devices) {
      Text(device.name);
      wire_.U32(device.mode);
      wire_.U32(device.major);
      wire_.U32(device.minor);
    }
    Pairs(plan.links);
    Texts(plan.read_only);
    Texts(plan.masked);
  }

  void Numbers(const LaunchPlan& plan) {
    wire_.U32(plan.gid);
    Count(plan.groups.size());
    for (const uint32_t group : plan.groups) wire_.U32(group);
    Count(plan.limits.size());
    for (const PlannedLimit& limit : plan.limits) {
      wire_.U32(limit.resource);
      wire_.U64(limit.soft);
      wire_.U64(limit.hard);
    }
    wire_.I64(plan.boottime_offset);
    wire_.I64(plan.monotonic_offset);
    wire_.U64(plan.log_max_bytes);
    wire_.U32(plan.log_max_files);
  }

  init::WireWriter<StringSink>& wire() { return wire_; }
  bool has_nul() const { return has_nul_; }
  std::string Take() { return std::move(sink_.bytes); }

 private:
  void Pairs(const std::vector<std::pair<std::string, std::string>>& pairs) {
    Count(pairs.size());
    for (const auto& [first, second] : pairs) {
      Text(first);
      Text(second);
    }
  }

  StringSink sink_;
  init::WireWriter<StringSink> wire_{&sink_};
  bool has_nul_ = false;
};

}  // namespace

absl::StatusOr<std::string> EncodeLaunchPlan(const LaunchPlan& plan) {
  if (plan.argv.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("container ", plan.name, " has no command"));
  }
  PlanWriter writer;
  writer.wire().U32(init::kWireVersion);
  writer.Text(plan.name);
  writer.wire().I32(plan.attempt);
  writer.wire().U32(plan.flags);
  writer.wire().U64(plan.capabilities);
  writer.wire().I32(plan.oom_score_adj);
  writer.Text(plan.instance_path);
  writer.Text(plan.working_dir);
  writer.Text(plan.user);
  writer.Texts(plan.argv);
  writer.Texts(plan.env);
  writer.Texts(plan.layers);
  writer.Mounts(plan.mounts);
  writer.Numbers(plan);
  writer.wire().Bytes(plan.filter.data(), plan.filter.size());
  writer.Text(plan.pid_namespace_of);
  std::string bytes = writer.Take();
  if (writer.has_nul()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "container ", plan.name, ": a NUL byte in its command, environment, user or directory"));
  }
  if (bytes.size() > init::kMaxPlan) {
    return absl::InvalidArgumentError(absl::StrCat("container ", plan.name,
                                                   ": command and environment take ", bytes.size(),
                                                   " bytes, at most ", init::kMaxPlan));
  }
  return bytes;
}

absl::StatusOr<UniqueFd> MakeMemfd(const std::string& name, const std::string& bytes) {
  UniqueFd fd(memfd_create(name.c_str(), MFD_CLOEXEC));
  if (!fd) return ErrnoStatus("memfd_create", name);
  RETURN_IF_ERROR(WriteAll(fd.get(), bytes));
  return fd;
}

}  // namespace cluster::node
