#include "node/seccomp/compiler.h"

#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "node/seccomp/assembler.h"
#include "node/seccomp/syscall_names.h"

namespace cluster::node {
namespace {

using Label = BackwardAssembler::Label;

constexpr uint32_t kNumberAt = offsetof(seccomp_data, nr);
constexpr uint32_t kArchAt = offsetof(seccomp_data, arch);
constexpr uint32_t kNoSuchCall = SECCOMP_RET_ERRNO | ENOSYS;

uint32_t Encode(const FilterVerdict& verdict) {
  switch (verdict.action) {
    case FilterAction::kKillProcess:
      return SECCOMP_RET_KILL_PROCESS;
    case FilterAction::kKillThread:
      return SECCOMP_RET_KILL_THREAD;
    case FilterAction::kTrap:
      return SECCOMP_RET_TRAP;
    case FilterAction::kErrno:
      return SECCOMP_RET_ERRNO | verdict.data;
    case FilterAction::kTrace:
      return SECCOMP_RET_TRACE | verdict.data;
    case FilterAction::kLog:
      return SECCOMP_RET_LOG;
    case FilterAction::kAllow:
      return SECCOMP_RET_ALLOW;
    case FilterAction::kNotify:
      return SECCOMP_RET_USER_NOTIF;
  }
  return SECCOMP_RET_KILL_PROCESS;
}

// What is decided about one call.
struct CallPolicy {
  struct Alternative {
    std::vector<ArgumentRule> arguments;  // all must hold
    uint32_t verdict = 0;
  };
  std::vector<Alternative> alternatives;  // the first that holds
  bool decided = false;
  uint32_t verdict = 0;  // when none does
};
using Policies = std::map<uint32_t, CallPolicy>;

bool Names(const std::vector<std::string>& arches, const char* arch) {
  return std::find(arches.begin(), arches.end(), arch) != arches.end();
}

bool Counts(const SyscallRule& rule, const FilterContext& context) {
  const char* arch = NativeArchName();
  const RuleCondition& out = rule.excludes;
  if ((out.capabilities & context.capabilities) != 0 || Names(out.arches, arch)) return false;
  if (out.min_kernel.has_value() && context.kernel >= *out.min_kernel) return false;
  const RuleCondition& in = rule.includes;
  if ((in.capabilities & ~context.capabilities) != 0) return false;
  if (!in.arches.empty() && !Names(in.arches, arch)) return false;
  return !in.min_kernel.has_value() || context.kernel >= *in.min_kernel;
}

bool LooksTwiceAtOne(const std::vector<ArgumentRule>& arguments) {
  std::set<unsigned> seen;
  return std::any_of(arguments.begin(), arguments.end(), [&seen](const ArgumentRule& argument) {
    return !seen.insert(argument.index).second;
  });
}

void AddRule(const SyscallRule& rule, CallPolicy* policy) {
  const uint32_t verdict = Encode(rule.verdict);
  if (rule.arguments.empty()) {
    if (!policy->decided) policy->verdict = verdict;
    policy->decided = true;
  } else if (LooksTwiceAtOne(rule.arguments)) {
    for (const ArgumentRule& argument : rule.arguments) {
      policy->alternatives.push_back({{argument}, verdict});
    }
  } else {
    policy->alternatives.push_back({rule.arguments, verdict});
  }
}

bool Denies(const FilterVerdict& verdict) {
  return verdict.action != FilterAction::kAllow && verdict.action != FilterAction::kLog;
}

absl::StatusOr<Policies> PoliciesOf(const SeccompProfile& profile, const FilterContext& context,
                                    FilterArch arch) {
  Policies policies;
  for (const SyscallRule& rule : profile.rules) {
    if (!Counts(rule, context)) continue;
    for (const std::string& name : rule.names) {
      const SyscallNumber call = FindSyscall(name, arch);
      if (!call.known && Denies(rule.verdict) && !Denies(profile.otherwise)) {
        return absl::InvalidArgumentError(
            absl::StrCat("it denies '", name, "', which is no system call; correct the name"));
      }
      if (call.number.has_value()) AddRule(rule, &policies[*call.number]);
    }
  }
  for (auto& [number, policy] : policies) {
    if (!policy.decided) policy.verdict = Encode(profile.otherwise);
  }
  return policies;
}

class FilterWriter {
 public:
  explicit FilterWriter(const FilterVerdict& otherwise)
      : otherwise_(Encode(otherwise)),
        newer_(otherwise.action == FilterAction::kErrno ? kNoSuchCall : otherwise_) {}

  // Of x86_64 alone: `x32` are the calls whose numbers have that bit, nullptr when the profile does
  // not speak of them.
  Label Search(const Policies& policies, bool has_x32_bit, const Policies* x32);
  BackwardAssembler& assembler() { return assembler_; }

 private:
  // From this number on, up to the next range.
  struct Range {
    uint32_t first = 0;
    uint32_t verdict = 0;
    const CallPolicy* policy = nullptr;  // with argument tests: one call alone
  };
  static void Begin(const Range& range, std::vector<Range>* ranges);
  // All numbers from `first` on.
  void AddCalls(const Policies& policies, uint32_t first, std::vector<Range>* ranges);
  Label SearchRanges(const std::vector<Range>& ranges, size_t begin, size_t end);
  Label Decide(const CallPolicy& policy);
  Label Test(const ArgumentRule& argument, Label holds, Label fails);
  Label TestOrder(const ArgumentRule& argument, bool or_equal, Label holds, Label fails);

  BackwardAssembler assembler_;
  const uint32_t otherwise_;
  const uint32_t newer_;  // for calls that came after all that the profile speaks of
};

// Neighbours of one verdict are one range.
void FilterWriter::Begin(const Range& range, std::vector<Range>* ranges) {
  if (!ranges->empty() && ranges->back().first == range.first) ranges->pop_back();
  const bool joins = !ranges->empty() && range.policy == nullptr &&
                     ranges->back().policy == nullptr && ranges->back().verdict == range.verdict;
  if (!joins) ranges->push_back(range);
}

void FilterWriter::AddCalls(const Policies& policies, uint32_t first, std::vector<Range>* ranges) {
  Begin({first, otherwise_, nullptr}, ranges);
  for (const auto& [number, policy] : policies) {
    Begin({number, policy.verdict, policy.alternatives.empty() ? nullptr : &policy}, ranges);
    Begin({number + 1, otherwise_, nullptr}, ranges);
  }
  if (!policies.empty()) Begin({policies.rbegin()->first + 1, newer_, nullptr}, ranges);
}

Label FilterWriter::Search(const Policies& policies, bool has_x32_bit, const Policies* x32) {
  std::vector<Range> ranges;
  AddCalls(policies, 0, &ranges);
  if (x32 != nullptr) {
    AddCalls(*x32, kX32Bit, &ranges);
  } else if (has_x32_bit) {
    // Where a profile allows what it does not name, these are no way round what it denies.
    Begin({kX32Bit, kNoSuchCall, nullptr}, &ranges);
  }
  return assembler_.Load(kNumberAt, SearchRanges(ranges, 0, ranges.size()));
}

Label FilterWriter::SearchRanges(const std::vector<Range>& ranges, size_t begin, size_t end) {
  if (end - begin == 1) {
    const Range& range = ranges[begin];
    return range.policy != nullptr ? Decide(*range.policy) : assembler_.Return(range.verdict);
  }
  const size_t middle = begin + (end - begin) / 2;
  const Label above = SearchRanges(ranges, middle, end);
  const Label below = SearchRanges(ranges, begin, middle);
  return assembler_.Compare(BPF_JGE, ranges[middle].first, above, below);
}

Label FilterWriter::Decide(const CallPolicy& policy) {
  Label next = assembler_.Return(policy.verdict);
  for (auto at = policy.alternatives.rbegin(); at != policy.alternatives.rend(); ++at) {
    Label holds = assembler_.Return(at->verdict);
    for (auto argument = at->arguments.rbegin(); argument != at->arguments.rend(); ++argument) {
      holds = Test(*argument, holds, next);
    }
    next = holds;
  }
  return next;
}

uint32_t LowWordAt(unsigned index) {
  return static_cast<uint32_t>(offsetof(seccomp_data, args) + index * sizeof(uint64_t));
}
uint32_t HighWordAt(unsigned index) {
  return LowWordAt(index) + 4;
}  // both machines are little-endian

Label FilterWriter::Test(const ArgumentRule& argument, Label holds, Label fails) {
  const uint32_t low = static_cast<uint32_t>(argument.value);
  const uint32_t high = static_cast<uint32_t>(argument.value >> 32);
  switch (argument.test) {
    case ArgumentTest::kNotEqual:
      std::swap(holds, fails);
      [[fallthrough]];
    case ArgumentTest::kEqual: {
      const Label last = assembler_.Load(LowWordAt(argument.index),
                                         assembler_.Compare(BPF_JEQ, low, holds, fails));
      return assembler_.Load(HighWordAt(argument.index),
                             assembler_.Compare(BPF_JEQ, high, last, fails));
    }
    case ArgumentTest::kMaskedEqual: {
      const uint32_t low_two = static_cast<uint32_t>(argument.value_two);
      const uint32_t high_two = static_cast<uint32_t>(argument.value_two >> 32);
      Label next = assembler_.Compare(BPF_JEQ, low_two, holds, fails);
      next = assembler_.Load(LowWordAt(argument.index), assembler_.And(low, next));
      next = assembler_.Compare(BPF_JEQ, high_two, next, fails);
      return assembler_.Load(HighWordAt(argument.index), assembler_.And(high, next));
    }
    case ArgumentTest::kLess:
      return TestOrder(argument, true, fails, holds);
    case ArgumentTest::kLessOrEqual:
      return TestOrder(argument, false, fails, holds);
    case ArgumentTest::kGreater:
      return TestOrder(argument, false, holds, fails);
    case ArgumentTest::kGreaterOrEqual:
      return TestOrder(argument, true, holds, fails);
  }
  return fails;
}

// Greater than the value, or equal to it when `or_equal`.
Label FilterWriter::TestOrder(const ArgumentRule& argument, bool or_equal, Label holds,
                              Label fails) {
  const uint32_t low = static_cast<uint32_t>(argument.value);
  const uint32_t high = static_cast<uint32_t>(argument.value >> 32);
  const uint16_t last_test = or_equal ? BPF_JGE : BPF_JGT;
  Label next =
      assembler_.Load(LowWordAt(argument.index), assembler_.Compare(last_test, low, holds, fails));
  next = assembler_.Compare(BPF_JEQ, high, next, fails);
  next = assembler_.Compare(BPF_JGT, high, holds, next);
  return assembler_.Load(HighWordAt(argument.index), next);
}

}  // namespace

absl::StatusOr<std::vector<sock_filter>> CompileProfile(const SeccompProfile& profile,
                                                        const FilterContext& context) {
  std::vector<FilterArch> arches = profile.arches;
  // As libseccomp has it, for whom such profiles are written.
  if (std::count(arches.begin(), arches.end(), NativeArch()) == 0) arches.push_back(NativeArch());
  FilterWriter writer(profile.otherwise);
  BackwardAssembler& assembler = writer.assembler();
  // x32 calls come with the architecture of x86_64 and a bit in the number.
  const bool has_x32 = std::count(arches.begin(), arches.end(), FilterArch::kX32) > 0;
  Label entry = assembler.Return(SECCOMP_RET_KILL_PROCESS);
  std::map<FilterArch, Policies> policies;  // outlives what the writer keeps of it
  for (const FilterArch arch : arches) {
    ASSIGN_OR_RETURN(policies[arch], PoliciesOf(profile, context, arch));
  }
  for (const auto& [arch, own] : policies) {
    if (arch == FilterArch::kX32) continue;
    const bool has_bit = arch == FilterArch::kX86_64;
    const Policies* x32 = has_bit && has_x32 ? &policies.at(FilterArch::kX32) : nullptr;
    const Label search = writer.Search(own, has_bit, x32);
    entry = assembler.Compare(BPF_JEQ, AuditArch(arch), search, entry);
  }
  entry = assembler.Load(kArchAt, entry);
  std::vector<sock_filter> program = assembler.Finish(entry);
  if (program.size() > BPF_MAXINSNS) {
    return absl::InvalidArgumentError(absl::StrCat("it makes a filter of ", program.size(),
                                                   " instructions; the kernel takes at most ",
                                                   BPF_MAXINSNS));
  }
  return program;
}

KernelVersion RunningKernel() {
  utsname name{};
  KernelVersion version;
  if (uname(&name) != 0 || sscanf(name.release, "%u.%u", &version.major, &version.minor) != 2) {
    return {};
  }
  return version;
}

}  // namespace cluster::node
