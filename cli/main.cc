// clusterctl: the command line of the cluster.
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <iostream>

#include "cli/context.h"
#include "cli/program.h"

int main(int argc, char** argv) {
  // gRPC would print its own lines on stderr, beside the one sentence of ours.
  setenv("GRPC_VERBOSITY", "NONE", 0);
  signal(SIGPIPE, SIG_DFL);
  std::ios::sync_with_stdio(false);
  cluster::cli::Terminal terminal;
  terminal.out = &std::cout;
  terminal.err = &std::cerr;
  terminal.input = STDIN_FILENO;
  terminal.out_is_terminal = isatty(STDOUT_FILENO) == 1;
  terminal.err_is_terminal = isatty(STDERR_FILENO) == 1;
  cluster::cli::Session session(terminal, cluster::RealClock(), cluster::cli::ContextsPath());
  const int code = RunProgram(session, std::vector<std::string>(argv + 1, argv + argc));
  std::cout.flush();
  return code;
}
