#include <algorithm>

#include "absl/strings/str_cat.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/scalars.h"
#include "proto/validate/difference.h"
#include "proto/validate/name_rules.h"
#include "proto/validate/volume_rules.h"

namespace cluster {
namespace {

constexpr char kStorage[] = "storage";
constexpr char kOnlyClass[] = "local";

void CheckAccessModes(const v1::PersistentVolumeClaimSpec& spec, const Path& path,
                      Findings* findings) {
  if (spec.access_modes().empty()) {
    findings->Add(path, "an access mode is missing; use ReadWriteOnce or ReadWriteOncePod");
    return;
  }
  bool once = false;
  bool once_pod = false;
  for (int i = 0; i < spec.access_modes_size(); ++i) {
    const auto mode = static_cast<v1::AccessMode>(spec.access_modes(i));
    if (mode == v1::ACCESS_MODE_READ_WRITE_ONCE) once = true;
    if (mode == v1::ACCESS_MODE_READ_WRITE_ONCE_POD) once_pod = true;
  }
  if (once_pod && spec.access_modes_size() > 1) {
    findings->Add(path, "ReadWriteOncePod excludes every other mode; remove the others");
  } else if (!once && !once_pod) {
    findings->Add(path, absl::StrCat(EnumText(static_cast<v1::AccessMode>(spec.access_modes(0))),
                                     " alone cannot be had: a claim's data is on one node; use "
                                     "ReadWriteOnce, which all pods of that node share"));
  }
}

void CheckAmounts(const v1::VolumeResourceRequirements& resources, const Path& path,
                  Findings* findings) {
  for (const bool limits : {false, true}) {
    const auto& amounts = limits ? resources.limits() : resources.requests();
    for (const auto& [name, amount] : amounts) {
      const Path at = (path / (limits ? "limits" : "requests")).Key(name);
      const auto bytes = QuantityBytes(amount);
      if (name != kStorage) {
        findings->Add(
            at, absl::StrCat("unknown resource ", Quote(name), "; a claim has storage alone"));
      } else if (!bytes.ok()) {
        findings->Add(at, std::string(bytes.status().message()));
      } else if (*bytes <= 0) {
        findings->Add(at, absl::StrCat(Quote(amount), " is nothing; ask for more than 0"));
      }
    }
  }
  if (resources.requests().count(kStorage) == 0) {
    findings->Add(path / "requests", "the size is missing; set requests.storage");
    return;
  }
  const auto request = QuantityBytes(resources.requests().at(kStorage));
  const auto limit = resources.limits().find(kStorage);
  if (!request.ok() || limit == resources.limits().end()) return;
  const auto most = QuantityBytes(limit->second);
  if (!most.ok() || *request <= *most) return;
  findings->Add(
      (path / "requests").Key(kStorage),
      absl::StrCat("the request ", resources.requests().at(kStorage), " is above the limit ",
                   limit->second, "; lower it or raise the limit"));
}

}  // namespace

void CheckClaim(const v1::PersistentVolumeClaimSpec& spec, const Path& path, Findings* findings) {
  CheckAccessModes(spec, path / "accessModes", findings);
  CheckAmounts(spec.resources(), path / "resources", findings);
  if (spec.has_storage_class_name() && spec.storage_class_name() != kOnlyClass) {
    findings->Add(path / "storageClassName",
                  absl::StrCat("there is no storage class ", Quote(spec.storage_class_name()),
                               "; remove the field, or set it to local"));
  }
}

void CheckClaimKept(const v1::PersistentVolumeClaimSpec& before,
                    const v1::PersistentVolumeClaimSpec& after, Findings* findings) {
  v1::PersistentVolumeClaimSpec allowed = after;
  *allowed.mutable_resources() = before.resources();
  const std::string field = FirstDifference(before, allowed);
  if (!field.empty()) {
    findings->Add(Path("spec") / field,
                  "this cannot change while the claim exists, only a larger request can be made; "
                  "create another claim");
  }
  const auto& old = before.resources().requests();
  const auto& fresh = after.resources().requests();
  if (old.count(kStorage) == 0 || fresh.count(kStorage) == 0) return;
  const auto was = QuantityBytes(old.at(kStorage));
  const auto is = QuantityBytes(fresh.at(kStorage));
  if (!was.ok() || !is.ok() || *is >= *was) return;
  findings->Add((Path("spec") / "resources" / "requests").Key(kStorage),
                absl::StrCat(fresh.at(kStorage), " is less than the ", old.at(kStorage),
                             " that were asked for; a claim only grows"));
}

}  // namespace cluster
