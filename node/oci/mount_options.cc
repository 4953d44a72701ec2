#include "node/oci/mount_options.h"

#include <linux/mount.h>
#include <sys/mount.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "node/oci/names.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

namespace cluster::oci {
namespace {

struct AttributeWord {
  const char* name;
  uint64_t set;
  uint64_t cleared;
};

// "ratime" and its like are these with an 'r' before them.
constexpr AttributeWord kAttributes[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
    // The access times are one field of three values; relatime is its zero.
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"relatime", 0, MOUNT_ATTR__ATIME},
    {"atime", 0, MOUNT_ATTR__ATIME},
    {"norelatime", 0, MOUNT_ATTR__ATIME},
    {"nostrictatime", 0, MOUNT_ATTR__ATIME}};

// What a fresh mount has anyway, or what Linux gave up.
constexpr const char* kWithoutEffect[] = {"defaults",   "async",      "loud", "silent", "nomand",
                                          "nolazytime", "noiversion", "auto", "noauto"};

template <size_t kCount>
bool IsOneOf(const char* const (&words)[kCount], absl::string_view word) {
  for (const char* candidate : words) {
    if (word == candidate) return true;
  }
  return false;
}

const AttributeWord* FindAttribute(absl::string_view word) {
  for (const AttributeWord& attribute : kAttributes) {
    if (word == attribute.name) return &attribute;
  }
  return nullptr;
}

// Later words win.
void Merge(const AttributeWord& word, uint64_t* set, uint64_t* cleared) {
  *set = (*set & ~word.cleared) | word.set;
  *cleared = (*cleared & ~word.set) | word.cleared;
}

bool ReadSwitch(absl::string_view word, MountOptions* out) {
  const std::pair<const char*, bool MountOptions::*> switches[] = {
      {"remount", &MountOptions::remount},
      {"tmpcopyup", &MountOptions::copy_up},
      {"src-nofollow", &MountOptions::source_nofollow},
      {"dest-nofollow", &MountOptions::destination_nofollow},
      {"copy-symlink", &MountOptions::copy_symlink}};
  for (const auto& [name, member] : switches) {
    if (word != name) continue;
    out->*member = true;
    return true;
  }
  if (word == "bind" || word == "rbind") {
    out->bind = true;
    out->recursive = out->recursive || word == "rbind";
    return true;
  }
  // crun's form names other ids than the user namespace's: "idmap=uids=0-1000-1;gids=...".
  if (word == "idmap" || word == "ridmap") {
    out->id_mapped = true;
    out->id_mapped_recursively = word == "ridmap";
    return true;
  }
  return false;
}

bool ReadAttribute(absl::string_view word, MountOptions* out) {
  if (const AttributeWord* found = FindAttribute(word); found != nullptr) {
    Merge(*found, &out->set, &out->cleared);
    return true;
  }
  if (!absl::StartsWith(word, "r")) return false;
  const AttributeWord* found = FindAttribute(word.substr(1));
  if (found == nullptr) return false;
  Merge(*found, &out->recursively_set, &out->recursively_cleared);
  return true;
}

absl::Status CheckTogether(const Mount& mount, const MountOptions& options) {
  const auto refuse = [](absl::string_view why) { return absl::InvalidArgumentError(why); };
  if (options.copy_up && mount.type != "tmpfs") return refuse("tmpcopyup is for tmpfs");
  if (options.id_mapped && !options.bind) return refuse("idmap is for bind mounts");
  if (options.bind && mount.source.empty() && !options.remount) return refuse("source is required");
  if (!options.bind && !options.remount && mount.type.empty()) {
    return refuse("type is required, or the option bind");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MountOptions> ParseMountOptions(const Mount& mount) {
  MountOptions out;
  out.bind = mount.type == "bind" || mount.type == "rbind";
  out.recursive = mount.type == "rbind";
  for (const std::string& word : mount.options) {
    if (word.empty() || ReadSwitch(word, &out) || ReadAttribute(word, &out)) continue;
    if (const auto propagation = PropagationFlags(word); propagation) {
      out.propagation.push_back(*propagation);
    } else if (IsOneOf(kWithoutEffect, word)) {
      if (word != "defaults") out.ignored.push_back(word);
    } else if (absl::StartsWith(word, "idmap=") || absl::StartsWith(word, "ridmap=")) {
      return absl::InvalidArgumentError("name the ids in uidMappings and gidMappings");
    } else {
      const size_t equals = word.find('=');
      out.data.emplace_back(word.substr(0, equals),
                            equals == std::string::npos ? "" : word.substr(equals + 1));
    }
  }
  if (absl::Status together = CheckTogether(mount, out); !together.ok()) return together;
  if (out.bind) {
    // A bind mount has no superblock of its own to configure.
    for (const auto& [name, value] : out.data) {
      out.ignored.push_back(value.empty() ? name : absl::StrCat(name, "=", value));
    }
    out.data.clear();
  }
  return out;
}

}  // namespace cluster::oci
