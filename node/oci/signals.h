// Signal dispositions and masks across clone and exec. signal(7)
#pragma once

#include <signal.h>

namespace cluster::oci {

// Everything as a program expects it: default dispositions, nothing blocked. CLONE_CLEAR_SIGHAND
// leaves ignored signals ignored, and exec would hand them on.
inline void ResetSignals() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < 65; ++signal) ::sigaction(signal, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace cluster::oci
