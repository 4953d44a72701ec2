#include <sys/stat.h>

#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "node/oci/config_parts.h"
#include "node/oci/names.h"

namespace cluster::oci {
namespace {

constexpr uint32_t kPersonalityLinux = 0x0000;
constexpr uint32_t kPersonalityLinux32 = 0x0008;

constexpr const char* kSeccompActions[] = {
    "SCMP_ACT_KILL",  "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_TRAP",  "SCMP_ACT_ERRNO",        "SCMP_ACT_TRACE",
    "SCMP_ACT_ALLOW", "SCMP_ACT_LOG",          "SCMP_ACT_NOTIFY"};
constexpr const char* kSeccompOperators[] = {"SCMP_CMP_NE",       "SCMP_CMP_LT", "SCMP_CMP_LE",
                                             "SCMP_CMP_EQ",       "SCMP_CMP_GE", "SCMP_CMP_GT",
                                             "SCMP_CMP_MASKED_EQ"};

template <size_t kCount>
void GetOneOf(const Field& field, const char* const (&words)[kCount], std::string* out) {
  field.Require();
  if (!field.Get(out)) return;
  for (const char* word : words) {
    if (*out == word) return;
  }
  field.Fail(absl::StrCat("'", *out, "' is not one of those that Linux has"));
}

void ReadNamespaces(const Field& field, std::vector<Namespace>* out) {
  int seen = 0;
  field.Items([&](const Field& item) {
    std::string type;
    Namespace name_space;
    item["type"].Require();
    item["type"].Get(&type);
    const auto flag = NamespaceFlag(type);
    if (!flag) return item["type"].Fail(absl::StrCat("'", type, "' is no namespace"));
    if ((seen & *flag) != 0) return item["type"].Fail(absl::StrCat(type, " stands there twice"));
    seen |= *flag;
    name_space.flag = *flag;
    if (item["path"].Get(&name_space.path) && !name_space.path.empty() &&
        !absl::StartsWith(name_space.path, "/")) {
      item["path"].Fail("must be absolute");
    }
    out->push_back(std::move(name_space));
  });
}

mode_t DeviceType(const std::string& type) {
  if (type == "c" || type == "u") return S_IFCHR;
  if (type == "b") return S_IFBLK;
  return type == "p" ? S_IFIFO : 0;
}

void ReadDevice(const Field& field, Device* out) {
  std::string type;
  field["path"].Require();
  field["type"].Require();
  if (field["path"].Get(&out->path) && !absl::StartsWith(out->path, "/")) {
    field["path"].Fail("must be absolute");
  }
  field["type"].Get(&type);
  out->type = DeviceType(type);
  if (out->type == 0) field["type"].Fail("must be c, b, u or p");
  if (out->type != S_IFIFO) {
    field["major"].Require();
    field["minor"].Require();
  }
  field["major"].Get(&out->major);
  field["minor"].Get(&out->minor);
  field["fileMode"].Get(&out->mode);
  // Some writers hand on all of st_mode.
  out->mode &= 07777;
  field["uid"].Get(&out->uid);
  field["gid"].Get(&out->gid);
}

void ReadSeccompRule(const Field& field, SeccompRule* out) {
  field["names"].Require();
  if (field["names"].Get(&out->names) && out->names.empty()) {
    field["names"].Fail("must name a system call");
  }
  GetOneOf(field["action"], kSeccompActions, &out->action);
  field["errnoRet"].Get(&out->errno_ret);
  field["args"].Items([out](const Field& item) {
    SeccompArgument& argument = out->arguments.emplace_back();
    for (const char* name : {"index", "value"}) item[name].Require();
    if (item["index"].Get(&argument.index) && argument.index > 5) {
      item["index"].Fail("must be from 0 to 5");
    }
    item["value"].Get(&argument.value);
    item["valueTwo"].Get(&argument.value_two);
    GetOneOf(item["op"], kSeccompOperators, &argument.op);
  });
}

void ReadSeccomp(const Field& field, Seccomp* out) {
  GetOneOf(field["defaultAction"], kSeccompActions, &out->default_action);
  field["defaultErrnoRet"].Get(&out->default_errno_ret);
  field["architectures"].Get(&out->architectures);
  field["flags"].Get(&out->flags);
  field["listenerPath"].Get(&out->listener_path);
  field["listenerMetadata"].Get(&out->listener_metadata);
  field["syscalls"].Items(
      [out](const Field& item) { ReadSeccompRule(item, &out->rules.emplace_back()); });
}

void ReadTimeOffset(const Field& field, std::optional<TimeOffset>* out) {
  if (!field.present()) return;
  TimeOffset offset;
  field["secs"].Get(&offset.seconds);
  if (field["nanosecs"].Get(&offset.nanoseconds) && offset.nanoseconds > 999999999) {
    field["nanosecs"].Fail("must be below 1000000000");
  }
  *out = offset;
}

void ReadPersonality(const Field& field, std::optional<uint32_t>* out) {
  if (!field.present()) return;
  std::string domain;
  field["domain"].Require();
  field["domain"].Get(&domain);
  if (domain != "LINUX" && domain != "LINUX32") {
    return field["domain"].Fail("must be LINUX or LINUX32");
  }
  std::vector<std::string> flags;
  if (field["flags"].Get(&flags) && !flags.empty()) {
    return field["flags"].Fail("Linux defines none that a container may ask for");
  }
  *out = domain == "LINUX" ? kPersonalityLinux : kPersonalityLinux32;
}

void ReadSysctl(const Field& field, Linux* out) {
  field.Members([out](const std::string& name, const Field& item) {
    std::string value;
    item.Get(&value);
    // Both forms stand for /proc/sys/net/ipv4/ip_forward. In a name with slashes a dot belongs to
    // an interface.
    std::string dotted = name;
    if (name.find('/') != std::string::npos && name.find('/') < name.find('.')) {
      for (char& c : dotted) c = c == '/' ? '.' : c == '.' ? '/' : c;
    }
    out->sysctl.emplace_back(std::move(dotted), std::move(value));
  });
}

void ReadPaths(const Field& field, std::vector<std::string>* out) {
  if (!field.Get(out)) return;
  for (const std::string& path : *out) {
    if (!absl::StartsWith(path, "/")) field.Fail(absl::StrCat("'", path, "' must be absolute"));
  }
}

}  // namespace

void ReadIdMappings(const Field& field, std::vector<IdMapping>* out) {
  field.Items([out](const Field& item) {
    IdMapping& mapping = out->emplace_back();
    for (const char* name : {"containerID", "hostID", "size"}) item[name].Require();
    item["containerID"].Get(&mapping.container);
    item["hostID"].Get(&mapping.host);
    if (item["size"].Get(&mapping.size) && mapping.size == 0) item["size"].Fail("must not be 0");
  });
}

void ReadLinuxField(const Field& field, Linux* out) {
  ReadNamespaces(field["namespaces"], &out->namespaces);
  ReadIdMappings(field["uidMappings"], &out->uid_mappings);
  ReadIdMappings(field["gidMappings"], &out->gid_mappings);
  field["devices"].Items(
      [out](const Field& item) { ReadDevice(item, &out->devices.emplace_back()); });
  field["cgroupsPath"].Get(&out->cgroups_path);
  ReadResourcesField(field["resources"], &out->resources);
  ReadSysctl(field["sysctl"], out);
  if (field["seccomp"].present()) ReadSeccomp(field["seccomp"], &out->seccomp.emplace());
  std::string propagation;
  if (field["rootfsPropagation"].Get(&propagation) && !propagation.empty()) {
    out->rootfs_propagation = PropagationFlags(propagation);
    if (!out->rootfs_propagation) {
      field["rootfsPropagation"].Fail(absl::StrCat("'", propagation, "' is no propagation"));
    }
  }
  ReadPaths(field["maskedPaths"], &out->masked_paths);
  ReadPaths(field["readonlyPaths"], &out->readonly_paths);
  ReadTimeOffset(field["timeOffsets"]["monotonic"], &out->monotonic_offset);
  ReadTimeOffset(field["timeOffsets"]["boottime"], &out->boottime_offset);
  ReadPersonality(field["personality"], &out->personality);
  field["mountLabel"].Get(&out->mount_label);
  for (const char* name : {"intelRdt", "netDevices", "memoryPolicy"}) {
    if (field[name].present()) field[name].Fail("is not supported");
  }
}

}  // namespace cluster::oci
