// Writes a classic BPF program from its end to its beginning, so that every jump's target is there
// before the jump: no labels to fix up. Distances that a jump cannot span get a step in between.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace cluster::node {

class BackwardAssembler {
 public:
  // Where an instruction stands, counted from the end.
  using Label = uint32_t;

  // Each becomes the new first instruction; what follows it is what was first.
  Label Return(uint32_t value);
  Label Load(uint32_t offset, Label next);
  Label And(uint32_t mask, Label next);
  // BPF_JEQ, BPF_JGT or BPF_JGE of the loaded word with `value`.
  Label Compare(uint16_t operation, uint32_t value, Label when_true, Label when_false);

  size_t size() const { return reversed_.size(); }
  // First instruction first; `entry` must be the newest label.
  std::vector<sock_filter> Finish(Label entry);

 private:
  static constexpr uint32_t kFar = 255;

  Label Emit(uint16_t code, uint32_t k, uint8_t if_true = 0, uint8_t if_false = 0);
  // A label within reach of a jump that comes after `extra` more instructions.
  Label Near(Label target, uint32_t extra);
  // `next` must be what comes right behind; otherwise a jump leads there.
  void FallInto(Label next);
  uint32_t Distance(Label target) const {
    return static_cast<uint32_t>(reversed_.size()) - target - 1;
  }

  std::vector<sock_filter> reversed_;
  std::map<uint32_t, Label> returns_;
};

}  // namespace cluster::node
