// What the kernel does with a seccomp filter: the checks at its load, and one run.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace cluster::node {

// "" when the kernel would take it.
inline std::string FindFilterFlaw(const std::vector<sock_filter>& program) {
  if (program.empty() || program.size() > BPF_MAXINSNS) {
    return absl::StrCat(program.size(), " instructions");
  }
  for (size_t at = 0; at < program.size(); ++at) {
    const sock_filter& step = program[at];
    const size_t left = program.size() - at - 1;
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (step.k >= sizeof(seccomp_data) || step.k % 4 != 0) return "a load outside";
        break;
      case BPF_JMP | BPF_JA:
        if (step.k >= left) return "a jump outside";
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
      case BPF_JMP | BPF_JGT | BPF_K:
      case BPF_JMP | BPF_JGE | BPF_K:
        if (step.jt >= left || step.jf >= left) return "a branch outside";
        break;
      case BPF_ALU | BPF_AND | BPF_K:
      case BPF_RET | BPF_K:
        break;
      default:
        return absl::StrCat("instruction ", step.code);
    }
  }
  return program.back().code == (BPF_RET | BPF_K) ? "" : "it does not end";
}

struct FilterRun {
  uint32_t verdict = 0;
  int steps = 0;
};

// Of a program without flaw.
inline FilterRun RunFilter(const std::vector<sock_filter>& program, const seccomp_data& call) {
  uint32_t word = 0;
  FilterRun run;
  for (size_t at = 0;; ++at) {
    const sock_filter& step = program[at];
    ++run.steps;
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        std::memcpy(&word, reinterpret_cast<const char*>(&call) + step.k, sizeof word);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        word &= step.k;
        break;
      case BPF_JMP | BPF_JA:
        at += step.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        at += word == step.k ? step.jt : step.jf;
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        at += word > step.k ? step.jt : step.jf;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        at += word >= step.k ? step.jt : step.jf;
        break;
      default:
        run.verdict = step.k;
        return run;
    }
  }
}

}  // namespace cluster::node
