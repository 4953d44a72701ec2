#include "node/seccomp/profile_parser.h"

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"

#include "base/capability_names.h"
#include "base/status.h"

namespace cluster::node {
namespace {

using nlohmann::json;

constexpr int64_t kMaxErrno = 4095;

absl::Status Wrong(const std::string& path, absl::string_view message) {
  return absl::InvalidArgumentError(path.empty() ? std::string(message)
                                                 : absl::StrCat(path, ": ", message));
}

std::string Under(const std::string& path, absl::string_view field) {
  return path.empty() ? std::string(field) : absl::StrCat(path, ".", field);
}

std::string At(const std::string& path, size_t index) {
  return absl::StrCat(path, "[", index, "]");
}

absl::Status CheckFields(const json& object, const std::string& path,
                         std::initializer_list<absl::string_view> known) {
  if (!object.is_object()) return Wrong(path, "must be an object");
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return Wrong(Under(path, key), "this field is not known or not supported");
    }
  }
  return absl::OkStatus();
}

const json* Find(const json& object, const char* field) {
  const auto found = object.find(field);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

absl::StatusOr<std::string> Text(const json& value, const std::string& path) {
  if (!value.is_string()) return Wrong(path, "must be a string");
  return value.get<std::string>();
}

absl::StatusOr<std::vector<std::string>> Texts(const json& object, const char* field,
                                               const std::string& path) {
  std::vector<std::string> texts;
  const json* list = Find(object, field);
  if (list == nullptr) return texts;
  if (!list->is_array()) return Wrong(Under(path, field), "must be a list of strings");
  for (size_t i = 0; i < list->size(); ++i) {
    ASSIGN_OR_RETURN(std::string text, Text((*list)[i], At(Under(path, field), i)));
    texts.push_back(std::move(text));
  }
  return texts;
}

absl::StatusOr<uint64_t> Number(const json& object, const char* field, const std::string& path) {
  const json* value = Find(object, field);
  if (value == nullptr) return 0;
  if (!value->is_number_unsigned()) {
    return Wrong(Under(path, field), "must be a number from 0 to 18446744073709551615");
  }
  return value->get<uint64_t>();
}

absl::StatusOr<uint16_t> ErrnoOf(const json& object, const char* field, const std::string& path,
                                 uint16_t otherwise) {
  const json* value = Find(object, field);
  if (value == nullptr) return otherwise;
  if (!value->is_number_integer() || value->get<int64_t>() < 0 ||
      value->get<int64_t>() > kMaxErrno) {
    return Wrong(Under(path, field), absl::StrCat("must be a number from 0 to ", kMaxErrno));
  }
  return static_cast<uint16_t>(value->get<int64_t>());
}

// By name: defaultErrno "ENOSYS" beside defaultErrnoRet, as podman's profiles have them.
absl::Status CheckErrnoName(const json& object, const char* field, const std::string& path,
                            bool has_number) {
  const json* value = Find(object, field);
  if (value == nullptr) return absl::OkStatus();
  if (!value->is_string()) return Wrong(Under(path, field), "must be a string");
  if (has_number) return absl::OkStatus();
  return Wrong(Under(path, field), "write the number, too (errnoRet or defaultErrnoRet)");
}

absl::StatusOr<FilterVerdict> VerdictOf(const json& object, const char* action_field,
                                        const char* errno_field, const std::string& path) {
  const json* action = Find(object, action_field);
  if (action == nullptr) return Wrong(Under(path, action_field), "an action is missing");
  ASSIGN_OR_RETURN(const std::string name, Text(*action, Under(path, action_field)));
  const std::pair<const char*, FilterAction> known[] = {
      {"SCMP_ACT_KILL", FilterAction::kKillThread},
      {"SCMP_ACT_KILL_THREAD", FilterAction::kKillThread},
      {"SCMP_ACT_KILL_PROCESS", FilterAction::kKillProcess},
      {"SCMP_ACT_TRAP", FilterAction::kTrap},
      {"SCMP_ACT_ERRNO", FilterAction::kErrno},
      {"SCMP_ACT_TRACE", FilterAction::kTrace},
      {"SCMP_ACT_ALLOW", FilterAction::kAllow},
      {"SCMP_ACT_LOG", FilterAction::kLog}};
  for (const auto& [text, value] : known) {
    if (name != text) continue;
    FilterVerdict verdict{value, 0};
    const bool has_data = value == FilterAction::kErrno || value == FilterAction::kTrace;
    ASSIGN_OR_RETURN(const uint16_t data,
                     ErrnoOf(object, errno_field, path, has_data ? uint16_t{EPERM} : uint16_t{0}));
    if (has_data) verdict.data = data;
    return verdict;
  }
  if (name == "SCMP_ACT_NOTIFY") {
    return Wrong(Under(path, action_field), "SCMP_ACT_NOTIFY is not supported: nobody listens");
  }
  return Wrong(
      Under(path, action_field),
      absl::StrCat("'", name,
                   "' is no action; use SCMP_ACT_ALLOW, SCMP_ACT_ERRNO, "
                   "SCMP_ACT_LOG, SCMP_ACT_TRAP, SCMP_ACT_TRACE or SCMP_ACT_KILL_PROCESS"));
}

absl::StatusOr<ArgumentRule> ArgumentOf(const json& object, const std::string& path) {
  RETURN_IF_ERROR(CheckFields(object, path, {"index", "value", "valueTwo", "op", "comment"}));
  ArgumentRule rule;
  ASSIGN_OR_RETURN(const uint64_t index, Number(object, "index", path));
  if (index > 5) return Wrong(Under(path, "index"), "a call has arguments 0 to 5");
  rule.index = static_cast<unsigned>(index);
  ASSIGN_OR_RETURN(rule.value, Number(object, "value", path));
  ASSIGN_OR_RETURN(rule.value_two, Number(object, "valueTwo", path));
  const json* operation = Find(object, "op");
  if (operation == nullptr) return Wrong(Under(path, "op"), "an operation is missing");
  ASSIGN_OR_RETURN(const std::string name, Text(*operation, Under(path, "op")));
  const std::pair<const char*, ArgumentTest> known[] = {
      {"SCMP_CMP_NE", ArgumentTest::kNotEqual},          {"SCMP_CMP_LT", ArgumentTest::kLess},
      {"SCMP_CMP_LE", ArgumentTest::kLessOrEqual},       {"SCMP_CMP_EQ", ArgumentTest::kEqual},
      {"SCMP_CMP_GE", ArgumentTest::kGreaterOrEqual},    {"SCMP_CMP_GT", ArgumentTest::kGreater},
      {"SCMP_CMP_MASKED_EQ", ArgumentTest::kMaskedEqual}};
  for (const auto& [text, test] : known) {
    if (name != text) continue;
    rule.test = test;
    return rule;
  }
  return Wrong(Under(path, "op"), absl::StrCat("'", name,
                                               "' is no comparison; use SCMP_CMP_EQ, NE, "
                                               "LT, LE, GT, GE or MASKED_EQ"));
}

absl::StatusOr<KernelVersion> KernelOf(const json& value, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, Text(value, path));
  const std::vector<std::string> parts = absl::StrSplit(text, '.');
  KernelVersion version;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &version.major) ||
      !absl::SimpleAtoi(parts[1], &version.minor)) {
    return Wrong(path, "must be a kernel's version like \"4.8\"");
  }
  return version;
}

absl::StatusOr<RuleCondition> ConditionOf(const json& rule, const char* field,
                                          const std::string& parent) {
  RuleCondition condition;
  const json* object = Find(rule, field);
  if (object == nullptr) return condition;
  const std::string path = Under(parent, field);
  RETURN_IF_ERROR(CheckFields(*object, path, {"caps", "arches", "minKernel"}));
  ASSIGN_OR_RETURN(const std::vector<std::string> caps, Texts(*object, "caps", path));
  for (size_t i = 0; i < caps.size(); ++i) {
    const std::optional<int> capability = CapabilityByName(caps[i]);
    if (!capability.has_value()) {
      return Wrong(At(Under(path, "caps"), i), absl::StrCat("'", caps[i], "' is no capability"));
    }
    condition.capabilities |= uint64_t{1} << *capability;
  }
  ASSIGN_OR_RETURN(condition.arches, Texts(*object, "arches", path));
  if (const json* kernel = Find(*object, "minKernel"); kernel != nullptr) {
    ASSIGN_OR_RETURN(condition.min_kernel, KernelOf(*kernel, Under(path, "minKernel")));
  }
  return condition;
}

absl::StatusOr<SyscallRule> RuleOf(const json& object, const std::string& path) {
  RETURN_IF_ERROR(CheckFields(
      object, path,
      {"names", "name", "action", "errnoRet", "errno", "args", "comment", "includes", "excludes"}));
  SyscallRule rule;
  ASSIGN_OR_RETURN(rule.names, Texts(object, "names", path));
  if (const json* name = Find(object, "name"); name != nullptr) {
    if (!rule.names.empty()) return Wrong(Under(path, "name"), "there are names, too; use one");
    ASSIGN_OR_RETURN(std::string text, Text(*name, Under(path, "name")));
    rule.names.push_back(std::move(text));
  }
  if (rule.names.empty()) return Wrong(Under(path, "names"), "a rule needs at least one name");
  ASSIGN_OR_RETURN(rule.verdict, VerdictOf(object, "action", "errnoRet", path));
  RETURN_IF_ERROR(CheckErrnoName(object, "errno", path, Find(object, "errnoRet") != nullptr));
  if (const json* arguments = Find(object, "args"); arguments != nullptr) {
    if (!arguments->is_array()) return Wrong(Under(path, "args"), "must be a list");
    for (size_t i = 0; i < arguments->size(); ++i) {
      ASSIGN_OR_RETURN(const ArgumentRule argument,
                       ArgumentOf((*arguments)[i], At(Under(path, "args"), i)));
      rule.arguments.push_back(argument);
    }
  }
  ASSIGN_OR_RETURN(rule.includes, ConditionOf(object, "includes", path));
  ASSIGN_OR_RETURN(rule.excludes, ConditionOf(object, "excludes", path));
  return rule;
}

// Those of other machines than the one that this program is for are of no interest.
absl::Status AddArch(const std::string& name, const std::string& path, SeccompProfile* profile) {
  const std::pair<const char*, FilterArch> ours[] = {{"SCMP_ARCH_X86_64", FilterArch::kX86_64},
                                                     {"SCMP_ARCH_X86", FilterArch::kX86},
                                                     {"SCMP_ARCH_X32", FilterArch::kX32},
                                                     {"SCMP_ARCH_AARCH64", FilterArch::kAarch64},
                                                     {"SCMP_ARCH_ARM", FilterArch::kArm}};
  for (const auto& [text, arch] : ours) {
    if (name != text) continue;
    std::vector<FilterArch>& arches = profile->arches;
    if (std::find(arches.begin(), arches.end(), arch) == arches.end()) arches.push_back(arch);
    return absl::OkStatus();
  }
  if (absl::StartsWith(name, "SCMP_ARCH_")) return absl::OkStatus();
  return Wrong(path, absl::StrCat("'", name, "' is no architecture"));
}

bool IsNative(const std::string& name) {
#if defined(__x86_64__)
  return name == "SCMP_ARCH_X86_64";
#else
  return name == "SCMP_ARCH_AARCH64";
#endif
}

absl::Status AddArches(const json& object, SeccompProfile* profile) {
  ASSIGN_OR_RETURN(const std::vector<std::string> plain, Texts(object, "architectures", ""));
  for (size_t i = 0; i < plain.size(); ++i) {
    RETURN_IF_ERROR(AddArch(plain[i], At("architectures", i), profile));
  }
  const json* map = Find(object, "archMap");
  if (map == nullptr) return absl::OkStatus();
  if (!plain.empty()) return Wrong("archMap", "there are architectures, too; use one of them");
  if (!map->is_array()) return Wrong("archMap", "must be a list");
  for (size_t i = 0; i < map->size(); ++i) {
    const std::string path = At("archMap", i);
    const json& entry = (*map)[i];
    RETURN_IF_ERROR(CheckFields(entry, path, {"architecture", "subArchitectures"}));
    const json* main = Find(entry, "architecture");
    if (main == nullptr) return Wrong(Under(path, "architecture"), "it is missing");
    ASSIGN_OR_RETURN(const std::string name, Text(*main, Under(path, "architecture")));
    ASSIGN_OR_RETURN(const std::vector<std::string> sub, Texts(entry, "subArchitectures", path));
    SeccompProfile ignored;
    SeccompProfile* into = IsNative(name) ? profile : &ignored;
    RETURN_IF_ERROR(AddArch(name, Under(path, "architecture"), into));
    for (size_t k = 0; k < sub.size(); ++k) {
      RETURN_IF_ERROR(AddArch(sub[k], At(Under(path, "subArchitectures"), k), into));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckFlags(const json& object) {
  ASSIGN_OR_RETURN(const std::vector<std::string> flags, Texts(object, "flags", ""));
  for (size_t i = 0; i < flags.size(); ++i) {
    // Both are so anyway: the filter is loaded in the only thread there is.
    if (flags[i] == "SECCOMP_FILTER_FLAG_SPEC_ALLOW" || flags[i] == "SECCOMP_FILTER_FLAG_TSYNC") {
      continue;
    }
    return Wrong(At("flags", i), absl::StrCat("'", flags[i], "' is not supported; remove it"));
  }
  return absl::OkStatus();
}

absl::StatusOr<SeccompProfile> ProfileOf(const json& object) {
  RETURN_IF_ERROR(CheckFields(object, "",
                              {"defaultAction", "defaultErrnoRet", "defaultErrno", "architectures",
                               "archMap", "syscalls", "flags"}));
  SeccompProfile profile;
  ASSIGN_OR_RETURN(profile.otherwise, VerdictOf(object, "defaultAction", "defaultErrnoRet", ""));
  RETURN_IF_ERROR(
      CheckErrnoName(object, "defaultErrno", "", Find(object, "defaultErrnoRet") != nullptr));
  RETURN_IF_ERROR(AddArches(object, &profile));
  RETURN_IF_ERROR(CheckFlags(object));
  const json* rules = Find(object, "syscalls");
  if (rules == nullptr) return profile;
  if (!rules->is_array()) return Wrong("syscalls", "must be a list");
  for (size_t i = 0; i < rules->size(); ++i) {
    ASSIGN_OR_RETURN(SyscallRule rule, RuleOf((*rules)[i], At("syscalls", i)));
    profile.rules.push_back(std::move(rule));
  }
  return profile;
}

}  // namespace

absl::StatusOr<SeccompProfile> ParseSeccompProfile(absl::string_view text) {
  if (text.size() > kMaxProfileSize) {
    return absl::InvalidArgumentError(absl::StrCat("a profile has at most ", kMaxProfileSize,
                                                   " bytes, this one has ", text.size()));
  }
  // The library reports by exception only; none leaves this function.
  try {
    return ProfileOf(json::parse(text.begin(), text.end()));
  } catch (const json::exception& problem) {
    return absl::InvalidArgumentError(problem.what());
  }
}

}  // namespace cluster::node
