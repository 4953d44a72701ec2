#include "node/cgroup/device_rules.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cluster::node {
namespace {

constexpr uint32_t kMakeBit = BPF_DEVCG_ACC_MKNOD;
constexpr uint32_t kReadBit = BPF_DEVCG_ACC_READ;
constexpr uint32_t kWriteBit = BPF_DEVCG_ACC_WRITE;
constexpr uint32_t kEveryAccess = kMakeBit | kReadBit | kWriteBit;

// Registers: 1 the context at first, then what was asked for.
constexpr uint8_t kResult = BPF_REG_0;
constexpr uint8_t kContext = BPF_REG_1;
constexpr uint8_t kScratch = BPF_REG_1;
constexpr uint8_t kKind = BPF_REG_2;
constexpr uint8_t kAccess = BPF_REG_3;
constexpr uint8_t kMajor = BPF_REG_4;
constexpr uint8_t kMinor = BPF_REG_5;

DeviceRule Allow(DeviceKind kind, std::optional<uint32_t> major, std::optional<uint32_t> minor) {
  return {true, kind, major, minor, true, true, true};
}

bool IsEverything(const DeviceRule& rule) {
  return rule.kind == DeviceKind::kAny && !rule.major && !rule.minor && rule.read && rule.write &&
         rule.make;
}

uint32_t AccessOf(const DeviceRule& rule) {
  return (rule.read ? kReadBit : 0) | (rule.write ? kWriteBit : 0) | (rule.make ? kMakeBit : 0);
}

bpf_insn Instruction(int code, uint8_t to, uint8_t from, int16_t offset, uint32_t value) {
  bpf_insn instruction{};
  instruction.code = static_cast<uint8_t>(code);
  instruction.dst_reg = to & 0xf;
  instruction.src_reg = from & 0xf;
  instruction.off = offset;
  instruction.imm = static_cast<int32_t>(value);
  return instruction;
}

class Compiler {
 public:
  Compiler() {
    Load(kKind, offsetof(bpf_cgroup_dev_ctx, access_type));
    Load(kMajor, offsetof(bpf_cgroup_dev_ctx, major));
    Load(kMinor, offsetof(bpf_cgroup_dev_ctx, minor));
    // access_type: kind in the lower half, access in the upper.
    Add(BPF_ALU | BPF_MOV | BPF_X, kAccess, kKind, 0, 0);
    Add(BPF_ALU | BPF_RSH | BPF_K, kAccess, 0, 0, 16);
    Add(BPF_ALU | BPF_AND | BPF_K, kKind, 0, 0, 0xffff);
  }

  void Rule(const DeviceRule& rule) {
    if (rule.kind != DeviceKind::kAny) {
      SkipUnless(kKind, rule.kind == DeviceKind::kChar ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK);
    }
    if (rule.major) SkipUnless(kMajor, *rule.major);
    if (rule.minor) SkipUnless(kMinor, *rule.minor);
    const uint32_t access = AccessOf(rule);
    if (rule.allow && access != kEveryAccess) {
      Scratch(~access);
      Skip(BPF_JNE);
    } else if (!rule.allow) {
      Scratch(access);
      Skip(BPF_JEQ);
    }
    Return(rule.allow);
    Land();
  }

  void Return(bool allow) {
    Add(BPF_ALU | BPF_MOV | BPF_K, kResult, 0, 0, allow ? 1 : 0);
    Add(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  }

  std::vector<bpf_insn> Take() { return std::move(program_); }

 private:
  void Add(int code, uint8_t to, uint8_t from, int16_t offset, uint32_t value) {
    program_.push_back(Instruction(code, to, from, offset, value));
  }
  void Load(uint8_t to, size_t offset) {
    Add(BPF_LDX | BPF_MEM | BPF_W, to, kContext, static_cast<int16_t>(offset), 0);
  }
  // The asked-for access, masked.
  void Scratch(uint32_t mask) {
    Add(BPF_ALU | BPF_MOV | BPF_X, kScratch, kAccess, 0, 0);
    Add(BPF_ALU | BPF_AND | BPF_K, kScratch, 0, 0, mask);
  }
  // To the next rule when the scratch register compares to 0 like that.
  void Skip(int condition) {
    skips_.push_back(program_.size());
    Add(BPF_JMP32 | condition | BPF_K, kScratch, 0, 0, 0);
  }
  void SkipUnless(uint8_t where, uint32_t value) {
    skips_.push_back(program_.size());
    Add(BPF_JMP32 | BPF_JNE | BPF_K, where, 0, 0, value);
  }
  void Land() {
    for (const size_t skip : skips_) {
      program_[skip].off = static_cast<int16_t>(program_.size() - skip - 1);
    }
    skips_.clear();
  }

  std::vector<bpf_insn> program_;
  std::vector<size_t> skips_;
};

}  // namespace

DeviceRules AllDevices() { return {Allow(DeviceKind::kAny, std::nullopt, std::nullopt)}; }

DeviceRules DefaultDevices() {
  constexpr auto kChar = DeviceKind::kChar;
  const DeviceRule nothing = {false, DeviceKind::kAny, {}, {}, true, true, true};
  const DeviceRule make_char = {true, kChar, {}, {}, false, false, true};
  const DeviceRule make_block = {true, DeviceKind::kBlock, {}, {}, false, false, true};
  return {nothing,
          make_char,
          make_block,
          Allow(kChar, 136, std::nullopt),  // ptys
          Allow(kChar, 5, 2),               // ptmx
          Allow(kChar, 5, 1),               // console
          Allow(kChar, 5, 0),               // tty
          Allow(kChar, 1, 8),               // random
          Allow(kChar, 1, 7),               // full
          Allow(kChar, 1, 5),               // zero
          Allow(kChar, 1, 9),               // urandom
          Allow(kChar, 1, 3)};              // null
}

std::string DeviceText(const DeviceRule& rule) {
  const char* kind = rule.kind == DeviceKind::kAny    ? "a"
                     : rule.kind == DeviceKind::kChar ? "c"
                                                      : "b";
  const auto number = [](const std::optional<uint32_t>& value) {
    return value ? absl::StrCat(*value) : std::string("*");
  };
  return absl::StrCat(kind, " ", number(rule.major), ":", number(rule.minor), " ",
                      rule.read ? "r" : "", rule.write ? "w" : "", rule.make ? "m" : "");
}

std::vector<ControlWrite> PlanDeviceWrites(const DeviceRules& rules) {
  std::vector<ControlWrite> writes;
  const auto write = [&writes](bool allow, std::string value) {
    writes.push_back(
        {"devices", false, allow ? "devices.allow" : "devices.deny", std::move(value), false});
  };
  // A fresh group has what its parent has.
  if (rules.empty() || !IsEverything(rules.front())) write(false, "a");
  for (const DeviceRule& rule : rules) {
    if (IsEverything(rule)) {
      write(rule.allow, "a");
      continue;
    }
    // The kernel takes "a" for everything, whatever follows it.
    const bool both = rule.kind == DeviceKind::kAny;
    for (const DeviceKind kind : {DeviceKind::kChar, DeviceKind::kBlock}) {
      if (!both && rule.kind != kind) continue;
      DeviceRule one = rule;
      one.kind = kind;
      write(rule.allow, DeviceText(one));
    }
  }
  return writes;
}

std::vector<bpf_insn> CompileDevices(const DeviceRules& rules) {
  Compiler compiler;
  bool decided = false;
  for (auto rule = rules.rbegin(); rule != rules.rend() && !decided; ++rule) {
    if (IsEverything(*rule)) {
      compiler.Return(rule->allow);
      decided = true;
    } else {
      compiler.Rule(*rule);
    }
  }
  if (!decided) compiler.Return(false);
  return compiler.Take();
}

}  // namespace cluster::node
