#include "node/oci/seccomp.h"

#include <linux/seccomp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "node/seccomp/compiler.h"

namespace cluster::oci {

namespace {

using node::ArgumentTest;
using node::FilterAction;
using node::FilterArch;

constexpr uint32_t kMaxErrno = 4095;

constexpr std::pair<const char*, FilterAction> kActions[] = {
    {"SCMP_ACT_KILL", FilterAction::kKillThread},
    {"SCMP_ACT_KILL_THREAD", FilterAction::kKillThread},
    {"SCMP_ACT_KILL_PROCESS", FilterAction::kKillProcess},
    {"SCMP_ACT_TRAP", FilterAction::kTrap},
    {"SCMP_ACT_ERRNO", FilterAction::kErrno},
    {"SCMP_ACT_TRACE", FilterAction::kTrace},
    {"SCMP_ACT_ALLOW", FilterAction::kAllow},
    {"SCMP_ACT_LOG", FilterAction::kLog},
    {"SCMP_ACT_NOTIFY", FilterAction::kNotify}};

constexpr std::pair<const char*, ArgumentTest> kTests[] = {
    {"SCMP_CMP_EQ", ArgumentTest::kEqual},
    {"SCMP_CMP_NE", ArgumentTest::kNotEqual},
    {"SCMP_CMP_LT", ArgumentTest::kLess},
    {"SCMP_CMP_LE", ArgumentTest::kLessOrEqual},
    {"SCMP_CMP_GT", ArgumentTest::kGreater},
    {"SCMP_CMP_GE", ArgumentTest::kGreaterOrEqual},
    {"SCMP_CMP_MASKED_EQ", ArgumentTest::kMaskedEqual}};

constexpr std::pair<const char*, FilterArch> kArches[] = {
    {"SCMP_ARCH_X86_64", FilterArch::kX86_64},
    {"SCMP_ARCH_X86", FilterArch::kX86},
    {"SCMP_ARCH_X32", FilterArch::kX32},
    {"SCMP_ARCH_AARCH64", FilterArch::kAarch64},
    {"SCMP_ARCH_ARM", FilterArch::kArm}};

// TSYNC has nothing to do where there is one thread.
constexpr std::pair<const char*, unsigned> kFilterFlags[] = {
    {"SECCOMP_FILTER_FLAG_TSYNC", 0},
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV}};

template <typename Value, size_t kCount>
const Value* MeaningOf(const std::pair<const char*, Value> (&table)[kCount],
                       const std::string& name) {
  for (const auto& [known, value] : table) {
    if (name == known) return &value;
  }
  return nullptr;
}

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("linux.seccomp.", what));
}

absl::StatusOr<node::FilterVerdict> VerdictOf(const std::string& action,
                                              const std::optional<uint32_t>& error) {
  const FilterAction* known = MeaningOf(kActions, action);
  if (known == nullptr) return Wrong(absl::StrCat("action '", action, "' is not known"));
  node::FilterVerdict verdict{*known, EPERM};
  if (!error) return verdict;
  if (*known != FilterAction::kErrno && *known != FilterAction::kTrace) {
    return Wrong(absl::StrCat("errnoRet: has no meaning with ", action));
  }
  if (*error > kMaxErrno) return Wrong("errnoRet: must be at most 4095");
  verdict.data = static_cast<uint16_t>(*error);
  return verdict;
}

absl::StatusOr<node::SyscallRule> RuleOf(const SeccompRule& config) {
  node::SyscallRule rule;
  rule.names = config.names;
  ASSIGN_OR_RETURN(rule.verdict, VerdictOf(config.action, config.errno_ret));
  for (const SeccompArgument& argument : config.arguments) {
    const ArgumentTest* test = MeaningOf(kTests, argument.op);
    if (test == nullptr) return Wrong(absl::StrCat("op '", argument.op, "' is not known"));
    rule.arguments.push_back({argument.index, *test, argument.value, argument.value_two});
  }
  return rule;
}

// Between the load of the filter and the agent's first answer the process itself needs this one.
bool NotifiesOfSendmsg(const node::SyscallRule& rule) {
  return rule.verdict.action == FilterAction::kNotify &&
         std::find(rule.names.begin(), rule.names.end(), "sendmsg") != rule.names.end();
}

absl::StatusOr<unsigned> FlagsOf(const Seccomp& config) {
  // What the specification leaves open: without it the kernel would turn off what the processor
  // predicts.
  if (config.flags.empty()) return unsigned{SECCOMP_FILTER_FLAG_SPEC_ALLOW};
  unsigned flags = 0;
  for (const std::string& name : config.flags) {
    const unsigned* flag = MeaningOf(kFilterFlags, name);
    if (flag == nullptr) return Wrong(absl::StrCat("flags: '", name, "' is not known"));
    flags |= *flag;
  }
  return flags;
}

}  // namespace

absl::StatusOr<SeccompFilter> CompileSeccomp(const Seccomp& config, uint64_t capabilities) {
  node::SeccompProfile profile;
  ASSIGN_OR_RETURN(profile.otherwise, VerdictOf(config.default_action, config.default_errno_ret));
  if (profile.otherwise.action == FilterAction::kNotify) {
    return Wrong("defaultAction: the process itself could not start");
  }
  bool notifies = false;
  for (const SeccompRule& rule : config.rules) {
    ASSIGN_OR_RETURN(node::SyscallRule one, RuleOf(rule));
    if (NotifiesOfSendmsg(one)) return Wrong("syscalls: sendmsg cannot be SCMP_ACT_NOTIFY");
    notifies = notifies || one.verdict.action == FilterAction::kNotify;
    profile.rules.push_back(std::move(one));
  }
  // Those of other machines run nothing here.
  for (const std::string& name : config.architectures) {
    const FilterArch* arch = MeaningOf(kArches, name);
    if (arch != nullptr) profile.arches.push_back(*arch);
  }
  SeccompFilter filter = ListenerOf(config);
  ASSIGN_OR_RETURN(filter.flags, FlagsOf(config));
  if (notifies && filter.listener_path.empty()) {
    return Wrong("listenerPath: is required with SCMP_ACT_NOTIFY");
  }
  if (notifies) filter.flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
  auto program = node::CompileProfile(profile, {capabilities, node::RunningKernel()});
  if (!program.ok()) return Annotate(program.status(), "linux.seccomp");
  filter.program = *std::move(program);
  return filter;
}

SeccompFilter ListenerOf(const Seccomp& config) {
  SeccompFilter filter;
  filter.listener_path = config.listener_path;
  filter.listener_metadata = config.listener_metadata;
  return filter;
}

absl::Status HandOverListener(const SeccompFilter& filter, int pidfd, const std::string& number,
                              const std::string& state, pid_t pid) {
  int remote = -1;
  if (!absl::SimpleAtoi(number, &remote)) return absl::InternalError("no listener came");
  const UniqueFd listener(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd, remote, 0)));
  if (!listener) return ErrnoStatus("take", "the seccomp listener");
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return ErrnoStatus("socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (filter.listener_path.size() >= sizeof address.sun_path) {
    return absl::InvalidArgumentError("linux.seccomp.listenerPath: longer than a socket's name");
  }
  std::memcpy(address.sun_path, filter.listener_path.data(), filter.listener_path.size());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return ErrnoStatus("connect to linux.seccomp.listenerPath", filter.listener_path);
  }
  // runtime-spec, "The Container Process State".
  const nlohmann::ordered_json message = {{"ociVersion", kSpecVersion},
                                          {"fds", {"seccompFd"}},
                                          {"pid", pid},
                                          {"metadata", filter.listener_metadata},
                                          {"state", nlohmann::ordered_json::parse(state)}};
  std::string text = message.dump();
  iovec data{text.data(), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr packet{};
  packet.msg_iov = &data;
  packet.msg_iovlen = 1;
  packet.msg_control = control;
  packet.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&packet);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = listener.get();
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  if (::sendmsg(socket.get(), &packet, MSG_NOSIGNAL) < 0) {
    return ErrnoStatus("send the listener to", filter.listener_path);
  }
  return absl::OkStatus();
}

}  // namespace cluster::oci
