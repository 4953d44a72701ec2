#include "node/cgroup/device_program.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster::node {
namespace {

// Only ours are on our groups, one each; more than this is somebody's mistake.
constexpr uint32_t kMostPrograms = 16;

int Bpf(int command, bpf_attr* attributes) {
  return static_cast<int>(::syscall(SYS_bpf, command, attributes, sizeof *attributes));
}

uint64_t Address(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

absl::StatusOr<UniqueFd> LoadProgram(const std::vector<bpf_insn>& program) {
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attributes.expected_attach_type = BPF_CGROUP_DEVICE;
  attributes.insns = Address(program.data());
  attributes.insn_cnt = static_cast<uint32_t>(program.size());
  // The field is not optional; what the program calls is nothing.
  attributes.license = Address("Apache-2.0");
  UniqueFd fd(Bpf(BPF_PROG_LOAD, &attributes));
  if (!fd) return ErrnoStatus("load", "device program");
  return fd;
}

absl::StatusOr<std::vector<UniqueFd>> Attached(int directory) {
  uint32_t ids[kMostPrograms] = {};
  bpf_attr query{};
  query.query.target_fd = static_cast<uint32_t>(directory);
  query.query.attach_type = BPF_CGROUP_DEVICE;
  query.query.prog_ids = Address(ids);
  query.query.prog_cnt = kMostPrograms;
  if (Bpf(BPF_PROG_QUERY, &query) != 0) return ErrnoStatus("list", "device programs of a cgroup");
  std::vector<UniqueFd> programs;
  for (uint32_t i = 0; i < query.query.prog_cnt; ++i) {
    bpf_attr get{};
    get.prog_id = ids[i];
    UniqueFd fd(Bpf(BPF_PROG_GET_FD_BY_ID, &get));
    if (!fd) return ErrnoStatus("open", "device program of a cgroup");
    programs.push_back(std::move(fd));
  }
  return programs;
}

absl::Status Detach(int directory, int program) {
  bpf_attr detach{};
  detach.target_fd = static_cast<uint32_t>(directory);
  detach.attach_bpf_fd = static_cast<uint32_t>(program);
  detach.attach_type = BPF_CGROUP_DEVICE;
  if (Bpf(BPF_PROG_DETACH, &detach) == 0) return absl::OkStatus();
  return ErrnoStatus("detach", "device program");
}

// With BPF_F_ALLOW_MULTI, programs of groups above and below count too: every one has to allow.
absl::Status AttachProgram(int directory, int program, int replaced) {
  bpf_attr attach{};
  attach.target_fd = static_cast<uint32_t>(directory);
  attach.attach_bpf_fd = static_cast<uint32_t>(program);
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  if (replaced >= 0) {
    attach.attach_flags |= BPF_F_REPLACE;
    attach.replace_bpf_fd = static_cast<uint32_t>(replaced);
  }
  if (Bpf(BPF_PROG_ATTACH, &attach) == 0) return absl::OkStatus();
  return ErrnoStatus("attach", "device program");
}

}  // namespace

absl::Status DevicePrograms::Probe() { return LoadProgram(CompileDevices({})).status(); }

absl::StatusOr<int> DevicePrograms::Load(const DeviceRules& rules) {
  std::string key;
  for (const DeviceRule& rule : rules) {
    absl::StrAppend(&key, rule.allow ? "+" : "-", DeviceText(rule), "\n");
  }
  MutexLock lock(&mutex_);
  UniqueFd& program = loaded_[key];
  if (!program) {
    ASSIGN_OR_RETURN(program, LoadProgram(CompileDevices(rules)));
  }
  return program.get();
}

absl::Status DevicePrograms::Attach(int directory, const DeviceRules& rules) {
  ASSIGN_OR_RETURN(const std::vector<UniqueFd> present, Attached(directory));
  size_t kept = 0;
  if (rules != AllDevices()) {
    ASSIGN_OR_RETURN(const int program, Load(rules));
    RETURN_IF_ERROR(AttachProgram(directory, program, present.empty() ? -1 : present[0].get()));
    kept = 1;
  }
  for (size_t i = kept; i < present.size(); ++i) {
    RETURN_IF_ERROR(Detach(directory, present[i].get()));
  }
  return absl::OkStatus();
}

}  // namespace cluster::node
