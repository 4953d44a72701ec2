#include <set>

#include "absl/strings/str_cat.h"

#include "proto/schema/enum_text.h"
#include "proto/validate/name_rules.h"
#include "proto/validate/workload_rules.h"

namespace cluster {
namespace {

constexpr size_t kMostDataBytes = 1 << 20;

template <typename Map>
std::set<std::string> CheckKeys(const Map& data, const Path& path, size_t* bytes,
                                Findings* findings) {
  std::set<std::string> keys;
  for (const auto& [key, value] : data) {
    keys.insert(key);
    *bytes += value.size();
  }
  for (const std::string& key : keys) findings->AddProblem(path.Key(key), DataKeyProblem(key));
  return keys;
}

void CheckSize(size_t bytes, const Path& path, Findings* findings) {
  if (bytes <= kMostDataBytes) return;
  findings->Add(path, absl::StrCat("the data has ", bytes, " bytes; at most ", kMostDataBytes,
                                   " are possible, keep more in an image"));
}

}  // namespace

void CheckConfigMap(const v1::ConfigMap& config_map, Findings* findings) {
  size_t bytes = 0;
  const Path binary("binaryData");
  const std::set<std::string> keys = CheckKeys(config_map.data(), Path("data"), &bytes, findings);
  for (const std::string& key : CheckKeys(config_map.binary_data(), binary, &bytes, findings)) {
    if (!keys.contains(key)) continue;
    findings->Add(binary.Key(key),
                  absl::StrCat(Quote(key), " is in data too; keep it in one of them"));
  }
  CheckSize(bytes, Path("data"), findings);
}

void CheckSecret(const v1::Secret& secret, Findings* findings) {
  size_t bytes = 0;
  CheckKeys(secret.data(), Path("data"), &bytes, findings);
  CheckKeys(secret.string_data(), Path("stringData"), &bytes, findings);
  CheckSize(bytes, Path("data"), findings);
}

void CheckNode(const v1::NodeSpec& spec, Findings* findings) {
  std::set<std::pair<std::string, v1::TaintEffect>> seen;
  for (int i = 0; i < spec.taints_size(); ++i) {
    const v1::Taint& taint = spec.taints(i);
    const Path path = (Path("spec") / "taints").At(i);
    findings->AddProblem(path / "key", QualifiedNameProblem(taint.key()));
    findings->AddProblem(path / "value", LabelValueProblem(taint.value()));
    if (taint.effect() == v1::TAINT_EFFECT_UNSPECIFIED) {
      findings->Add(path / "effect",
                    "an effect is missing; set NoSchedule, PreferNoSchedule or NoExecute");
    } else if (!seen.emplace(taint.key(), taint.effect()).second) {
      findings->Add(path, absl::StrCat("the taint ", taint.key(), ":", EnumText(taint.effect()),
                                       " is there twice; keep one of them"));
    }
  }
}

}  // namespace cluster
