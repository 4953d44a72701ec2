#include "proto/schema/signal_names.h"

#include <signal.h>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace cluster {

std::optional<int> SignalNumber(absl::string_view text) {
  struct Name {
    absl::string_view name;
    int number;
  };
  static constexpr Name kNames[] = {
      {"HUP", SIGHUP},   {"INT", SIGINT},     {"QUIT", SIGQUIT},     {"ILL", SIGILL},
      {"TRAP", SIGTRAP}, {"ABRT", SIGABRT},   {"IOT", SIGIOT},       {"BUS", SIGBUS},
      {"FPE", SIGFPE},   {"KILL", SIGKILL},   {"USR1", SIGUSR1},     {"SEGV", SIGSEGV},
      {"USR2", SIGUSR2}, {"PIPE", SIGPIPE},   {"ALRM", SIGALRM},     {"TERM", SIGTERM},
      {"CHLD", SIGCHLD}, {"CLD", SIGCHLD},    {"STKFLT", SIGSTKFLT}, {"CONT", SIGCONT},
      {"STOP", SIGSTOP}, {"TSTP", SIGTSTP},   {"TTIN", SIGTTIN},     {"TTOU", SIGTTOU},
      {"URG", SIGURG},   {"XCPU", SIGXCPU},   {"XFSZ", SIGXFSZ},     {"VTALRM", SIGVTALRM},
      {"PROF", SIGPROF}, {"WINCH", SIGWINCH}, {"IO", SIGIO},         {"POLL", SIGPOLL},
      {"PWR", SIGPWR},   {"SYS", SIGSYS}};
  // The kernel's real-time signals; glibc keeps the first two and calls the third SIGRTMIN.
  constexpr int kRealTimeFirst = 34;
  constexpr int kLast = 64;
  int number = 0;
  if (absl::SimpleAtoi(text, &number)) {
    return number >= 1 && number <= kLast ? std::optional<int>(number) : std::nullopt;
  }
  absl::ConsumePrefix(&text, "SIG");
  for (const Name& known : kNames) {
    if (known.name == text) return known.number;
  }
  const bool from_last = absl::ConsumePrefix(&text, "RTMAX");
  if (!from_last && !absl::ConsumePrefix(&text, "RTMIN")) return std::nullopt;
  const int base = from_last ? kLast : kRealTimeFirst;
  if (text.empty()) return base;
  if (!absl::ConsumePrefix(&text, from_last ? "-" : "+") || !absl::SimpleAtoi(text, &number)) {
    return std::nullopt;
  }
  const int signal = from_last ? base - number : base + number;
  return number >= 0 && signal >= kRealTimeFirst && signal <= kLast ? std::optional<int>(signal)
                                                                    : std::nullopt;
}

}  // namespace cluster
