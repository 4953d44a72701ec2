// Which system calls a container may make: the model of the profiles that Docker, podman and
// Kubernetes nodes keep as JSON, and what it takes to decide which of its rules hold. Pure values.
// seccomp(2)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cluster::node {

// kNotify is for whoever brings a listener; profiles in files cannot ask for it.
enum class FilterAction { kKillProcess, kKillThread, kTrap, kErrno, kTrace, kLog, kAllow, kNotify };

// `data` is the errno of kErrno and what a tracer hears of kTrace.
struct FilterVerdict {
  FilterAction action = FilterAction::kErrno;
  uint16_t data = 1;  // EPERM
  friend bool operator==(const FilterVerdict&, const FilterVerdict&) = default;
};

enum class ArgumentTest {
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kMaskedEqual,  // (argument & value) == value_two
};

// All comparisons are of unsigned 64-bit numbers.
struct ArgumentRule {
  unsigned index = 0;  // 0 to 5
  ArgumentTest test = ArgumentTest::kEqual;
  uint64_t value = 0;
  uint64_t value_two = 0;
};

struct KernelVersion {
  unsigned major = 0;
  unsigned minor = 0;
  friend auto operator<=>(const KernelVersion&, const KernelVersion&) = default;
};

// When a rule counts (`includes`: all of it must hold) or does not (`excludes`: any of it).
struct RuleCondition {
  uint64_t capabilities = 0;        // bit N = capability N
  std::vector<std::string> arches;  // "amd64", "arm64", ...; empty = any
  std::optional<KernelVersion> min_kernel;
};

// Several tests of one rule must all hold; but where two of them look at the same argument, each of
// them alone is enough, as everybody reads such profiles.
struct SyscallRule {
  std::vector<std::string> names;
  FilterVerdict verdict;
  std::vector<ArgumentRule> arguments;
  RuleCondition includes;
  RuleCondition excludes;
};

enum class FilterArch { kX86_64, kX86, kX32, kAarch64, kArm };

struct SeccompProfile {
  FilterVerdict otherwise;  // for what no rule matches
  // Whose calls the rules are about, with the machine's own; every other architecture's calls end
  // the process.
  std::vector<FilterArch> arches;
  std::vector<SyscallRule> rules;
};

// What a container gets that says nothing: an allow list. What it names and denies gives EPERM,
// what nobody has heard of ENOSYS, so that the C libraries of years to come find their way.
SeccompProfile DefaultProfile();

}  // namespace cluster::node
