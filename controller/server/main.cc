// cluster-controller: keeps what the cluster should be and decides where it runs.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "controller/server/flags.h"
#include "controller/server/server.h"
#include "controller/server/version.h"
#include "controller/store/sqlite_store.h"

// jemalloc(3), TUNING. What a time of many changes leaves free goes back to the kernel soon, also
// when nothing is allocated any more; few arenas keep what stays close together.
extern "C" const char* malloc_conf;
const char* malloc_conf = "background_thread:true,narenas:4,dirty_decay_ms:5000";

namespace cluster::controller {
namespace {

// Every node costs a connection, every connection a descriptor.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Blocked in every thread from here on; main waits for them.
sigset_t BlockSignals() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return ends;
}

absl::Status Serve(const Flags& flags, const sigset_t& ends) {
  RETURN_IF_ERROR(MakeDirectories(flags.state_dir, 0700));
  store::SqliteOptions sqlite;
  sqlite.path = absl::StrCat(flags.state_dir, "/store.db");
  ASSIGN_OR_RETURN(std::unique_ptr<store::Store> store, store::SqliteStore::Open(sqlite));
  ServerOptions options;
  options.state_dir = flags.state_dir;
  options.socket = flags.socket;
  options.listen = flags.listen;
  options.version = kVersion;
  options.sessions.cluster_cidr = flags.cluster_cidr;
  options.sessions.node_cidr_bits = flags.node_cidr_bits;
  options.service_cidr = flags.service_cidr;
  options.node_ports = flags.node_ports;
  options.loop.i_am_not_partitioned = flags.i_am_not_partitioned;
  options.autoscale_period = flags.autoscale_period;
  if (flags.pack) options.loop.scheduler.strategy = Strategy::kPack;
  // Whoever waits for the controller to come back starts it anew; its nodes go on meanwhile.
  options.fatal = [](const absl::Status& why) {
    LOG_ERROR("{}", std::string(why.message()));
    _exit(1);
  };
  ASSIGN_OR_RETURN(const std::unique_ptr<Server> server,
                   Server::Start(std::move(store), std::move(options)));
  LOG_INFO("serving on {}", flags.socket);
  int signal_number = 0;
  sigwait(&ends, &signal_number);
  LOG_INFO("stopping");
  return absl::OkStatus();
}

int Main(int argc, const char* const* argv) {
  const ParsedFlags parsed = ParseFlags(argc, argv);
  if (parsed.exit) return parsed.exit_code;
  if (!SetUpLogging("cluster-controller", parsed.flags.log_level)) {
    fprintf(stderr,
            "cluster-controller: --log-level %s is none of trace, debug, info, warn, error, off\n",
            parsed.flags.log_level.c_str());
    return 2;
  }
  RaiseFileLimit();
  // gRPC's locks look for cycles each time they are taken, as the distribution builds them.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const sigset_t ends = BlockSignals();
  const absl::Status served = Serve(parsed.flags, ends);
  if (served.ok()) return 0;
  fprintf(stderr, "cluster-controller: %s\n", std::string(served.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace cluster::controller

int main(int argc, char** argv) { return cluster::controller::Main(argc, argv); }
