#include <limits>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "node/oci/config_parts.h"
#include "node/oci/names.h"

namespace cluster::oci {
namespace {

constexpr int kIoClassShift = 13;

void ReadUser(const Field& field, User* out) {
  field["uid"].Get(&out->uid);
  field["gid"].Get(&out->gid);
  if (out->uid == 0xffffffffu) field["uid"].Fail("4294967295 is no user");
  if (out->gid == 0xffffffffu) field["gid"].Fail("4294967295 is no group");
  if (field["umask"].Get(&out->umask) && *out->umask > 0777) {
    field["umask"].Fail("must be at most 511 (octal 777)");
  }
  field["additionalGids"].Items([out](const Field& item) {
    uint32_t gid = 0;
    if (item.Get(&gid)) out->additional_gids.push_back(gid);
    if (gid == 0xffffffffu) item.Fail("4294967295 is no group");
  });
}

uint64_t ReadCapabilitySet(const Field& field) {
  std::vector<std::string> names;
  field.Get(&names);
  uint64_t set = 0;
  for (const std::string& name : names) {
    const int number = CapabilityNumber(name);
    // The specification wants no error here: a newer kernel may know it.
    if (number < 0) {
      field.Warn(absl::StrCat("'", name, "' is no capability known here; it is left out"));
    } else {
      set |= uint64_t{1} << number;
    }
  }
  return set;
}

void ReadCapabilities(const Field& field, Capabilities* out) {
  out->bounding = ReadCapabilitySet(field["bounding"]);
  out->effective = ReadCapabilitySet(field["effective"]);
  out->inheritable = ReadCapabilitySet(field["inheritable"]);
  out->permitted = ReadCapabilitySet(field["permitted"]);
  out->ambient = ReadCapabilitySet(field["ambient"]);
}

void ReadRlimits(const Field& field, std::vector<Rlimit>* out) {
  std::set<std::string> seen;
  field.Items([&](const Field& item) {
    Rlimit limit;
    item["type"].Require();
    item["soft"].Require();
    item["hard"].Require();
    item["type"].Get(&limit.name);
    item["soft"].Get(&limit.soft);
    item["hard"].Get(&limit.hard);
    const auto number = RlimitNumber(limit.name);
    if (!number) return item["type"].Fail(absl::StrCat("'", limit.name, "' is no resource limit"));
    if (!seen.insert(limit.name).second) {
      return item["type"].Fail(absl::StrCat(limit.name, " stands there twice"));
    }
    if (limit.soft > limit.hard) item["soft"].Fail("is above the hard limit");
    limit.resource = *number;
    out->push_back(std::move(limit));
  });
}

void ReadScheduler(const Field& field, Scheduler* out) {
  std::string policy;
  field["policy"].Require();
  field["policy"].Get(&policy);
  const auto number = SchedulerPolicy(policy);
  if (!number) return field["policy"].Fail(absl::StrCat("'", policy, "' is no policy"));
  out->policy = *number;
  field["nice"].Get(&out->nice);
  if (out->nice < -20 || out->nice > 19) field["nice"].Fail("must be from -20 to 19");
  field["priority"].Get(&out->priority);
  std::vector<std::string> flags;
  field["flags"].Get(&flags);
  for (const std::string& flag : flags) {
    const auto bit = SchedulerFlag(flag);
    if (!bit) return field["flags"].Fail(absl::StrCat("'", flag, "' is no scheduler flag"));
    out->flags |= *bit;
  }
  field["runtime"].Get(&out->runtime);
  field["deadline"].Get(&out->deadline);
  field["period"].Get(&out->period);
  const bool realtime = out->policy == SCHED_FIFO || out->policy == SCHED_RR;
  if (out->priority != 0 && !realtime) {
    field["priority"].Fail("is for SCHED_FIFO and SCHED_RR");
  }
  if ((out->runtime | out->deadline | out->period) != 0 && out->policy != 6) {
    field.Fail("runtime, deadline and period are for SCHED_DEADLINE");
  }
}

void ReadIoPriority(const Field& field, std::optional<int>* out) {
  if (!field.present()) return;
  std::string name;
  int priority = 0;
  field["class"].Require();
  field["class"].Get(&name);
  field["priority"].Get(&priority);
  const auto number = IoPriorityClass(name);
  if (!number) return field["class"].Fail(absl::StrCat("'", name, "' is no class"));
  if (priority < 0 || priority > 7) return field["priority"].Fail("must be from 0 to 7");
  *out = *number << kIoClassShift | priority;
}

void ReadConsoleSize(const Field& field, std::optional<ConsoleSize>* out) {
  if (!field.present()) return;
  ConsoleSize size;
  field["height"].Require();
  field["width"].Require();
  field["height"].Get(&size.height);
  field["width"].Get(&size.width);
  *out = size;
}

}  // namespace

void ReadProcessField(const Field& field, Process* out) {
  field["terminal"].Get(&out->terminal);
  ReadConsoleSize(field["consoleSize"], &out->console_size);
  ReadUser(field["user"], &out->user);
  field["args"].Require();
  if (field["args"].Get(&out->args) && (out->args.empty() || out->args[0].empty())) {
    field["args"].Fail("must name a program");
  }
  field["env"].Get(&out->env);
  field["cwd"].Require();
  if (field["cwd"].Get(&out->cwd) && !absl::StartsWith(out->cwd, "/")) {
    field["cwd"].Fail("must be absolute");
  }
  if (field["capabilities"].present()) {
    ReadCapabilities(field["capabilities"], &out->capabilities.emplace());
  }
  ReadRlimits(field["rlimits"], &out->rlimits);
  field["noNewPrivileges"].Get(&out->no_new_privileges);
  if (field["oomScoreAdj"].Get(&out->oom_score_adj) &&
      (*out->oom_score_adj < -1000 || *out->oom_score_adj > 1000)) {
    field["oomScoreAdj"].Fail("must be from -1000 to 1000");
  }
  field["apparmorProfile"].Get(&out->apparmor_profile);
  field["selinuxLabel"].Get(&out->selinux_label);
  if (field["scheduler"].present()) ReadScheduler(field["scheduler"], &out->scheduler.emplace());
  ReadIoPriority(field["ioPriority"], &out->io_priority);
  if (field["execCPUAffinity"].present()) {
    field["execCPUAffinity"].Fail("is not supported: use linux.resources.cpu.cpus");
  }
}

}  // namespace cluster::oci
