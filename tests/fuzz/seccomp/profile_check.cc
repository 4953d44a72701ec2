#include "tests/fuzz/seccomp/profile_check.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"

#include "node/seccomp/profile_parser.h"
#include "node/seccomp/syscall_names.h"
#include "tests/unit/node/seccomp/bpf_machine.h"

namespace cluster::node {
namespace {

uint32_t Number(const FilterVerdict& verdict) {
  static const std::map<FilterAction, uint32_t> kActions = {
      {FilterAction::kKillProcess, SECCOMP_RET_KILL_PROCESS},
      {FilterAction::kKillThread, SECCOMP_RET_KILL_THREAD},
      {FilterAction::kTrap, SECCOMP_RET_TRAP},
      {FilterAction::kErrno, SECCOMP_RET_ERRNO},
      {FilterAction::kTrace, SECCOMP_RET_TRACE},
      {FilterAction::kLog, SECCOMP_RET_LOG},
      {FilterAction::kAllow, SECCOMP_RET_ALLOW}};
  return kActions.at(verdict.action) | verdict.data;
}

bool Holds(const ArgumentRule& rule, uint64_t argument) {
  switch (rule.test) {
    case ArgumentTest::kEqual:
      return argument == rule.value;
    case ArgumentTest::kNotEqual:
      return argument != rule.value;
    case ArgumentTest::kLess:
      return argument < rule.value;
    case ArgumentTest::kLessOrEqual:
      return argument <= rule.value;
    case ArgumentTest::kGreater:
      return argument > rule.value;
    case ArgumentTest::kGreaterOrEqual:
      return argument >= rule.value;
    case ArgumentTest::kMaskedEqual:
      return (argument & rule.value) == rule.value_two;
  }
  return false;
}

bool Holds(const SyscallRule& rule, const seccomp_data& call) {
  std::set<unsigned> looked_at;
  for (const ArgumentRule& argument : rule.arguments) looked_at.insert(argument.index);
  const bool any_is_enough = looked_at.size() < rule.arguments.size();
  const auto holds = [&call](const ArgumentRule& argument) {
    return Holds(argument, call.args[argument.index]);
  };
  return any_is_enough ? std::any_of(rule.arguments.begin(), rule.arguments.end(), holds)
                       : std::all_of(rule.arguments.begin(), rule.arguments.end(), holds);
}

bool Mentions(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool Counts(const SyscallRule& rule, const FilterContext& context) {
  const auto recent = [&context](const RuleCondition& condition) {
    return condition.min_kernel.has_value() && !(context.kernel < *condition.min_kernel);
  };
  const std::string arch = NativeArchName();
  for (int capability = 0; capability < 64; ++capability) {
    const uint64_t bit = uint64_t{1} << capability;
    const bool has = (context.capabilities & bit) != 0;
    if (has && (rule.excludes.capabilities & bit) != 0) return false;
    if (!has && (rule.includes.capabilities & bit) != 0) return false;
  }
  if (Mentions(rule.excludes.arches, arch) || recent(rule.excludes)) return false;
  if (!rule.includes.arches.empty() && !Mentions(rule.includes.arches, arch)) return false;
  return !rule.includes.min_kernel.has_value() || recent(rule.includes);
}

bool IsAbout(const SyscallRule& rule, FilterArch arch, uint32_t number) {
  return std::any_of(rule.names.begin(), rule.names.end(), [&](const std::string& name) {
    return FindSyscall(name, arch).number == number;
  });
}

// That no rule which counts speaks of a call as new as this one, though there are some.
bool IsNewerThanAll(const SeccompProfile& profile, const FilterContext& context, FilterArch arch,
                    uint32_t number) {
  bool any = false;
  for (const SyscallRule& rule : profile.rules) {
    if (!Counts(rule, context)) continue;
    for (const std::string& name : rule.names) {
      const auto known = FindSyscall(name, arch).number;
      if (known.has_value() && *known >= number) return false;
      any = any || known.has_value();
    }
  }
  return any;
}

// The values at which a comparison turns, and their neighbours.
std::vector<seccomp_data> CallsToTry(const SeccompProfile& profile, FilterArch arch) {
  std::set<uint32_t> numbers = {0, 1, 449, 500, 100000};
  std::set<uint64_t> values = {0, 1, ~uint64_t{0}, uint64_t{1} << 32};
  for (const SyscallRule& rule : profile.rules) {
    for (const std::string& name : rule.names) {
      const auto number = FindSyscall(name, arch).number;
      if (number.has_value()) numbers.insert({*number, *number + 1});
    }
    for (const ArgumentRule& argument : rule.arguments) {
      for (const uint64_t value : {argument.value, argument.value_two}) {
        values.insert({value - 1, value, value + 1, value ^ (uint64_t{1} << 33)});
      }
    }
  }
  std::vector<seccomp_data> calls;
  size_t turn = 0;
  const std::vector<uint64_t> list(values.begin(), values.end());
  for (const uint32_t number : numbers) {
    // With many values a few of them for each number, in turn.
    for (size_t i = 0; i < std::min<size_t>(list.size(), 12); ++i) {
      seccomp_data call{};
      call.nr = static_cast<int>(number);
      call.arch = AuditArch(arch);
      for (auto& argument : call.args) argument = list[turn++ % list.size()];
      ++turn;
      calls.push_back(call);
    }
  }
  return calls;
}

std::string Describe(const seccomp_data& call, uint32_t is, uint32_t should) {
  return absl::StrCat("call ", call.nr, " of ", absl::Hex(call.arch), " with ", call.args[0], ", ",
                      call.args[1], ": ", absl::Hex(is), " instead of ", absl::Hex(should));
}

}  // namespace

uint32_t JudgeByRules(const SeccompProfile& profile, const FilterContext& context, FilterArch arch,
                      const seccomp_data& call) {
  std::vector<FilterArch> arches = profile.arches;
  if (arches.empty()) arches = {NativeArch()};
  const uint32_t number = static_cast<uint32_t>(call.nr);
  if (arch == FilterArch::kX86_64 || arch == FilterArch::kX32) {
    arch = number >= kX32Bit ? FilterArch::kX32 : FilterArch::kX86_64;
  }
  if (std::find(arches.begin(), arches.end(), arch) == arches.end()) {
    const bool x32 = arch == FilterArch::kX32 &&
                     std::find(arches.begin(), arches.end(), FilterArch::kX86_64) != arches.end();
    return x32 ? SECCOMP_RET_ERRNO | ENOSYS : SECCOMP_RET_KILL_PROCESS;
  }
  for (const bool with_arguments : {true, false}) {
    for (const SyscallRule& rule : profile.rules) {
      if (rule.arguments.empty() == with_arguments || !Counts(rule, context)) continue;
      if (IsAbout(rule, arch, number) && (rule.arguments.empty() || Holds(rule, call))) {
        return Number(rule.verdict);
      }
    }
  }
  const bool denies = profile.otherwise.action == FilterAction::kErrno;
  if (denies && IsNewerThanAll(profile, context, arch, number)) return SECCOMP_RET_ERRNO | ENOSYS;
  return Number(profile.otherwise);
}

std::string FindCompilerFlaw(const SeccompProfile& profile, const FilterContext& context) {
  const auto program = CompileProfile(profile, context);
  if (!program.ok()) {
    return program.status().message().empty() ? "an error without a sentence" : "";
  }
  std::string flaw = FindFilterFlaw(*program);
  if (!flaw.empty()) return flaw;
  for (const FilterArch arch : {FilterArch::kX86_64, FilterArch::kX86, FilterArch::kX32,
                                FilterArch::kAarch64, FilterArch::kArm}) {
    for (const seccomp_data& call : CallsToTry(profile, arch)) {
      const uint32_t is = RunFilter(*program, call).verdict;
      const uint32_t should = JudgeByRules(profile, context, arch, call);
      if (is != should) return Describe(call, is, should);
    }
  }
  return "";
}

std::string FindProfileFlaw(absl::string_view text) {
  const auto profile = ParseSeccompProfile(text);
  if (!profile.ok()) {
    const size_t length = profile.status().message().size();
    return length == 0 || length > 4000 ? absl::StrCat("a message of ", length, " bytes") : "";
  }
  for (const FilterContext& context :
       {FilterContext{0x800405fb, {6, 1}}, FilterContext{~uint64_t{0}, {4, 4}}}) {
    std::string flaw = FindCompilerFlaw(*profile, context);
    if (!flaw.empty()) return flaw;
  }
  return "";
}

}  // namespace cluster::node
