#include "node/seccomp/assembler.h"

#include <algorithm>

namespace cluster::node {

BackwardAssembler::Label BackwardAssembler::Emit(uint16_t code, uint32_t k, uint8_t if_true,
                                                 uint8_t if_false) {
  reversed_.push_back({code, if_true, if_false, k});
  return static_cast<Label>(reversed_.size() - 1);
}

// Shared while it is near: a copy costs no more than a jump to it.
BackwardAssembler::Label BackwardAssembler::Return(uint32_t value) {
  const auto known = returns_.find(value);
  if (known != returns_.end() && reversed_.size() - known->second < kFar / 2) return known->second;
  return returns_[value] = Emit(BPF_RET | BPF_K, value);
}

void BackwardAssembler::FallInto(Label next) {
  if (Distance(next) != 0) Emit(BPF_JMP | BPF_JA, Distance(next));
}

BackwardAssembler::Label BackwardAssembler::Load(uint32_t offset, Label next) {
  FallInto(next);
  return Emit(BPF_LD | BPF_W | BPF_ABS, offset);
}

BackwardAssembler::Label BackwardAssembler::And(uint32_t mask, Label next) {
  FallInto(next);
  return Emit(BPF_ALU | BPF_AND | BPF_K, mask);
}

BackwardAssembler::Label BackwardAssembler::Near(Label target, uint32_t extra) {
  if (Distance(target) + extra <= kFar) return target;
  const sock_filter& there = reversed_[target];
  if (there.code == (BPF_RET | BPF_K)) return returns_[there.k] = Emit(there.code, there.k);
  return Emit(BPF_JMP | BPF_JA, Distance(target));
}

BackwardAssembler::Label BackwardAssembler::Compare(uint16_t operation, uint32_t value,
                                                    Label when_true, Label when_false) {
  // One of the steps may push the other target out of reach by one.
  const Label far_true = Near(when_true, 1);
  const Label far_false = Near(when_false, 0);
  return Emit(static_cast<uint16_t>(BPF_JMP | operation | BPF_K), value,
              static_cast<uint8_t>(Distance(far_true)), static_cast<uint8_t>(Distance(far_false)));
}

std::vector<sock_filter> BackwardAssembler::Finish(Label entry) {
  FallInto(entry);
  std::vector<sock_filter> program(reversed_.rbegin(), reversed_.rend());
  return program;
}

}  // namespace cluster::node
