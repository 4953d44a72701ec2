#include "node/cgroup/device_rules.h"

#include <random>

#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cluster::node {
namespace {

struct Access {
  DeviceKind kind = DeviceKind::kChar;
  uint32_t major = 0;
  uint32_t minor = 0;
  bool read = false;
  bool write = false;
  bool make = false;
};

Access Open(DeviceKind kind, uint32_t major, uint32_t minor) {
  return {kind, major, minor, true, true, false};
}
Access Make(DeviceKind kind, uint32_t major, uint32_t minor) {
  return {kind, major, minor, false, false, true};
}

// What device_rules.h promises, word for word.
bool Allowed(const DeviceRules& rules, const Access& access) {
  for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
    if (rule->kind != DeviceKind::kAny && rule->kind != access.kind) continue;
    if (rule->major && *rule->major != access.major) continue;
    if (rule->minor && *rule->minor != access.minor) continue;
    const bool all = (!access.read || rule->read) && (!access.write || rule->write) &&
                     (!access.make || rule->make);
    const bool part =
        (access.read && rule->read) || (access.write && rule->write) || (access.make && rule->make);
    if (rule->allow ? all : part) return rule->allow;
  }
  return false;
}

// The part of the kernel's machine that these programs use; anything else fails the test.
class Machine {
 public:
  explicit Machine(const Access& access) {
    // As in <linux/bpf.h>: mknod 1, read 2, write 4; block 1, char 2.
    const uint32_t bits =
        (access.make ? 1u : 0u) | (access.read ? 2u : 0u) | (access.write ? 4u : 0u);
    context_[0] = (bits << 16) | (access.kind == DeviceKind::kChar ? 2u : 1u);
    context_[1] = access.major;
    context_[2] = access.minor;
  }

  int Run(const std::vector<bpf_insn>& program) {
    for (size_t at = 0; at < program.size(); ++at) {
      const bpf_insn& code = program[at];
      uint32_t& to = registers_[code.dst_reg];
      const auto value = static_cast<uint32_t>(code.imm);
      switch (code.code) {
        case BPF_LDX | BPF_MEM | BPF_W:
          EXPECT_EQ(code.src_reg, BPF_REG_1);
          to = context_[code.off / 4];
          break;
        case BPF_ALU | BPF_MOV | BPF_X:
          to = registers_[code.src_reg];
          break;
        case BPF_ALU | BPF_MOV | BPF_K:
          to = value;
          break;
        case BPF_ALU | BPF_AND | BPF_K:
          to &= value;
          break;
        case BPF_ALU | BPF_RSH | BPF_K:
          to >>= value;
          break;
        case BPF_JMP32 | BPF_JNE | BPF_K:
          if (to != value) at += static_cast<size_t>(code.off);
          break;
        case BPF_JMP32 | BPF_JEQ | BPF_K:
          if (to == value) at += static_cast<size_t>(code.off);
          break;
        case BPF_JMP | BPF_EXIT:
          return static_cast<int>(registers_[0]);
        default:
          ADD_FAILURE() << "instruction " << at << " has code " << int{code.code};
          return -1;
      }
    }
    ADD_FAILURE() << "ran off the end";
    return -1;
  }

 private:
  uint32_t context_[3] = {};
  uint32_t registers_[11] = {};
};

int Verdict(const DeviceRules& rules, const Access& access) {
  return Machine(access).Run(CompileDevices(rules));
}

TEST(DefaultDevicesTest, OpensTheHarmlessOnesAndNothingElse) {
  const auto c = DeviceKind::kChar;
  const auto b = DeviceKind::kBlock;
  const DeviceRules rules = DefaultDevices();
  for (const uint32_t minor : {3, 5, 7, 8, 9}) EXPECT_EQ(Verdict(rules, Open(c, 1, minor)), 1);
  for (const uint32_t minor : {0, 1, 2}) EXPECT_EQ(Verdict(rules, Open(c, 5, minor)), 1);
  EXPECT_EQ(Verdict(rules, Open(c, 136, 17)), 1) << "a pty";
  EXPECT_EQ(Verdict(rules, Open(b, 8, 0)), 0) << "a disk";
  EXPECT_EQ(Verdict(rules, Open(b, 1, 3)), 0) << "a block device with null's numbers";
  EXPECT_EQ(Verdict(rules, Open(c, 1, 11)), 0) << "kmsg";
  EXPECT_EQ(Verdict(rules, Open(c, 10, 229)), 0) << "fuse";
  EXPECT_EQ(Verdict(rules, Open(c, 10, 200)), 0) << "tun";
  EXPECT_EQ(Verdict(rules, Make(b, 8, 0)), 1) << "a node alone does no harm";
  Access both = Open(b, 8, 0);
  both.make = true;
  EXPECT_EQ(Verdict(rules, both), 0);
}

TEST(AllDevicesTest, AllowsEverything) {
  EXPECT_EQ(Verdict(AllDevices(), Open(DeviceKind::kBlock, 8, 0)), 1);
  EXPECT_EQ(Verdict({}, Open(DeviceKind::kChar, 1, 3)), 0) << "no rule";
}

TEST(CompileDevicesTest, LaterRuleOverridesAnEarlierOne) {
  DeviceRules rules = AllDevices();
  rules.push_back({false, DeviceKind::kBlock, 8, {}, false, true, false});
  EXPECT_EQ(Verdict(rules, Open(DeviceKind::kBlock, 8, 1)), 0);
  EXPECT_EQ(Verdict(rules, {DeviceKind::kBlock, 8, 1, true, false, false}), 1);
  EXPECT_EQ(Verdict(rules, Open(DeviceKind::kBlock, 9, 1)), 1);
}

TEST(CompileDevicesTest, ProgramsDecideAsTheRulesDo) {
  std::minstd_rand random(20);
  const auto coin = [&random] { return random() % 2 == 0; };
  const auto kind = [&random] { return static_cast<DeviceKind>(random() % 3); };
  for (int round = 0; round < 2000; ++round) {
    DeviceRules rules;
    std::string text;
    for (size_t i = random() % 6; i > 0; --i) {
      DeviceRule rule{coin(), kind(), {}, {}, coin(), coin(), coin()};
      if (coin()) rule.major = random() % 3;
      if (coin()) rule.minor = random() % 3;
      rules.push_back(rule);
      absl::StrAppend(&text, rule.allow ? "allow " : "deny ", DeviceText(rule), "\n");
    }
    const Access access{coin() ? DeviceKind::kChar : DeviceKind::kBlock,
                        static_cast<uint32_t>(random() % 3),
                        static_cast<uint32_t>(random() % 3),
                        coin(),
                        coin(),
                        coin()};
    ASSERT_EQ(Verdict(rules, access), Allowed(rules, access) ? 1 : 0)
        << "round " << round << "\n"
        << text << access.major << ":" << access.minor << " " << access.read << access.write
        << access.make;
  }
}

std::string Lines(const std::vector<ControlWrite>& writes) {
  std::string text;
  for (const ControlWrite& write : writes) {
    absl::StrAppend(&text, write.controller, " ", write.file, " = ", write.value, "\n");
  }
  return text;
}

TEST(PlanDeviceWritesTest, DefaultGolden) {
  EXPECT_EQ(Lines(PlanDeviceWrites(DefaultDevices())),
            "devices devices.deny = a\n"
            "devices devices.allow = c *:* m\n"
            "devices devices.allow = b *:* m\n"
            "devices devices.allow = c 136:* rwm\n"
            "devices devices.allow = c 5:2 rwm\n"
            "devices devices.allow = c 5:1 rwm\n"
            "devices devices.allow = c 5:0 rwm\n"
            "devices devices.allow = c 1:8 rwm\n"
            "devices devices.allow = c 1:7 rwm\n"
            "devices devices.allow = c 1:5 rwm\n"
            "devices devices.allow = c 1:9 rwm\n"
            "devices devices.allow = c 1:3 rwm\n");
}

TEST(PlanDeviceWritesTest, RuleForBothKindsIsWrittenTwiceAsTheKernelKnowsNoOther) {
  EXPECT_EQ(Lines(PlanDeviceWrites({{true, DeviceKind::kAny, 7, {}, true, false, false}})),
            "devices devices.deny = a\n"
            "devices devices.allow = c 7:* r\n"
            "devices devices.allow = b 7:* r\n");
  EXPECT_EQ(Lines(PlanDeviceWrites(AllDevices())), "devices devices.allow = a\n");
}

}  // namespace
}  // namespace cluster::node
