// The state of one cluster-init: its containers, the commands run in them, the agents that talk to
// it. Freestanding and single-threaded; everything happens in turns of one epoll loop.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "node/init/child.h"
#include "node/init/child_report.h"
#include "node/init/launch.h"
#include "node/init/log_pump.h"
#include "node/init/poll.h"
#include "node/init/wire.h"

namespace cluster::init {

constexpr size_t kMaxContainers = 64;   // of one pod
constexpr size_t kMaxConnections = 64;  // agents' sockets at one time

// One client. Holds at most one running command (kExec); closing the connection ends it.
struct Connection {
  Connection* next = nullptr;
  int fd = -1;
  bool watching = false;
  Watch watch;
};

struct Attachment;

// One instance of a container. Kept after its end until a newer attempt of the same name starts.
struct Container {
  Container* next = nullptr;
  char name[kMaxName + 1] = "";
  int32_t attempt = 0;
  Phase phase = Phase::kStarting;
  pid_t pid = 0;
  int64_t started_ns = 0;
  int64_t finished_ns = 0;
  int32_t exit_code = 0;
  int32_t signal = 0;
  bool oom_killed = false;
  char message[kMaxText] = "";

  int pidfd = -1;
  int instance_dir = -1;
  int oom_file = -1;
  int oom_event = -1;  // see oom.cc
  int oom_timer = -1;
  uint32_t oom_wait = 0;  // milliseconds until the next look
  Watch oom_watches[2];
  int cgroup2 = -1;           // its v2 directory, where its end is not the end of its pid namespace
  int channel = -1;           // until exec
  bool awaits_birth = false;  // `pid` prepares only; see HasSecondProcess
  Watch channel_watch;
  LogFile log;
  LogStream streams[2];  // with a terminal its master is the first, and there is no second
  Watch stream_watches[2];
  bool stream_held[2] = {};  // not watched, as somebody attached has no room
  int terminal = -1;         // the pty's other side, so that it does not hang up between processes
  int input = -1;            // where what is written to stdin goes; non-blocking
  Watch input_watch;
  bool input_watched = false;
  Attachment* attachments = nullptr;
  char* early[2] = {};  // see attach.cc
  size_t early_used[2] = {};
  bool first_came = false;
  char* plan = nullptr;  // backs `launch`, which exec needs for environment and user
  Launch launch;
  bool report_received = false;
  ChildReport report = {};
  Connection* starter = nullptr;  // waits for the start's outcome
  bool held = false;              // waits for kGo
  int* go_fds = nullptr;          // a go-ahead that came before its birth was told
  size_t go_count = 0;
  bool born_ended = false;  // its process was reaped before its birth was told
  int born_status = 0;
  bool taken_back = false;  // its starter left before kGo: no trace of it stays
};

// What of one stream goes to one who attached.
struct Outlet {
  int fd = -1;  // non-blocking end of a pipe
  Attachment* attachment = nullptr;
  char* pending = nullptr;  // what the pipe has no room for; meanwhile the stream is held
  size_t pending_size = 0;
  int64_t stuck_since = 0;  // monotonic nanoseconds
  Watch watch;
};

// One who sees what a container writes and may write to its stdin, over a connection of his own.
struct Attachment {
  Attachment* next = nullptr;
  Container* container = nullptr;
  Connection* owner = nullptr;
  Outlet outlets[2];
  int input = -1;  // non-blocking end of a pipe
  Watch input_watch;
  char waiting[4096];  // read from `input`, not yet taken by the container
  size_t waiting_size = 0;
  bool ended = false;  // the container: what is pending goes out, then he is told
};

struct ExecSession {
  ExecSession* next = nullptr;
  pid_t pid = 0;
  int pidfd = -1;
  int channel = -1;
  Watch channel_watch;
  int terminal = -1;  // pty master on its way to the agent
  bool report_received = false;
  bool reaped = false;
  int status = 0;
  ChildReport report = {};
  Connection* owner = nullptr;
};

// A descriptor that the agent left here: what hangs on it lives as long as the pod's processes.
struct Kept {
  Kept* next = nullptr;
  char name[kMaxName + 1] = "";
  int fd = -1;
};

// What the agent asks for (kBecome).
struct PodOptions {
  bool has_users = false;  // a user namespace, with 65536 ids from first_id on
  uint32_t first_id = 0;
  bool shares_processes = false;  // one pid namespace for all containers
  bool node_network = false;
  bool node_ipc = false;
};

// A child's end, while it may be the one of a container whose birth is not told yet.
struct UnclaimedEnd {
  UnclaimedEnd* next = nullptr;
  pid_t pid = 0;
  int status = 0;
};

struct Pod {
  PodOptions options;
  int epoll = -1;
  int host_proc = -1;  // O_PATH of the procfs of the node's pid namespace
  int own_pid_namespace = -1;
  int net_namespace = -1;
  int user_namespace = -1;
  int pid_namespace = -1;  // of the pod's processes, where they share one
  int own_pidfd = -1;
  int shm = -1;  // detached tmpfs; -1 = what is mounted on /dev/shm
  Container* containers = nullptr;
  ExecSession* execs = nullptr;
  UnclaimedEnd* unclaimed = nullptr;  // newest first
  Kept* kept = nullptr;
  Connection* connections = nullptr;
  Connection* stopper = nullptr;  // asked for kShutdown
  int patience = -1;              // timerfd
  Watch patience_watch;
  bool stopping = false;
  int lease = -1;       // the file, where the pod needs one
  int fence = -1;       // timerfd: when the lease may be over
  bool leased = false;  // there was a lease
  bool fenced = false;  // and it was over: the pod's name may be another's, whatever comes
  Watch fence_watch;
};

// container.cc. Takes over the descriptors; answers now or when the start's outcome is known.
void StartContainer(Pod* pod, Connection* from, WireReader* request, int* fds, size_t fd_count);
void LetGo(Pod* pod, Connection* from, WireReader* request, int* fds, size_t fd_count);
// The starter is gone.
void TakeBack(Container* container);
Container* FindContainer(Pod* pod, const char* name, int32_t attempt);
Container* FindRunning(Pod* pod, const char* name);
void ContainerReaped(Container* container, int status, int64_t now);
// The container whose process `pid` is; null also when it was one that had prepared another.
Container* FindProcess(Pod* pod, pid_t pid);
// The end of a child that is nobody's: kept while a container's birth is awaited, as it may have
// been that container's.
void KeepUnclaimed(Pod* pod, pid_t pid, int status);
void StopAll(Pod* pod);
void FinishStopping(Pod* pod);  // ends the process once nothing runs

// record.cc. The instance's files: `started` when it runs, `exit` durably before anybody is told.
void RecordStart(const Container& container);
void RecordExit(const Container& container);
bool SawOomKill(int oom_file);

// oom.cc. For a running container.
void WatchOom(Container* container);
void EndOomWatch(Container* container);

// exec.cc
void StartExec(Pod* pod, Connection* from, WireReader* request, int* fds, size_t fd_count);
void ExecReaped(ExecSession* session, int status);
void KillExec(Pod* pod, Connection* owner);
// recv(2) from a child's channel, whether or not the child has read what was sent to it; `fd`
// becomes the descriptor that came along, if any. -1 with EAGAIN: nothing yet.
ssize_t ReceiveWithFd(int socket, void* data, size_t size, int* fd);

// attach.cc
void StartAttach(Pod* pod, Connection* from, WireReader* request, int* fds, size_t fd_count);
void ResizeTerminal(Pod* pod, Connection* from, WireReader* request);
// For a container whose output somebody may see: taps its streams.
void TapStreams(Container* container);
// Whether nothing of the stream may be read now; it is watched again when that changes.
bool HoldStream(Container* container, int index);
void EndAttachments(Container* container);
// The container is forgotten.
void DropAttachments(Container* container);
void FreeEarly(Container* container);
// The connection is gone: he is detached, and the container runs on.
void Detach(Pod* pod, Connection* owner);

// namespaces.cc. Dies with a complaint when it cannot. Where the pod's containers share their
// processes, the caller has to live as long as they do.
void MakePodNamespaces(Pod* pod);
// False with errno, and what could not be written in `name`.
bool WriteSysctl(const char* name, const char* value);
[[noreturn]] void Die(const char* what, const char* object);

// fence.cc. The pod's containers are killed once its node's lease is over, and none starts after
// that. Dies with a complaint when it cannot.
void SetUpFence(Pod* pod, int lease);
bool LeaseIsOver(const Pod* pod);

// keep.cc
void Keep(Pod* pod, Connection* from, WireReader* request, int* fds, size_t fd_count);
void Fetch(Pod* pod, Connection* from, WireReader* request);

// connection.cc
void AcceptConnection(Pod* pod, int listener);
void AddConnection(Pod* pod, int fd);
void DropConnection(Connection* connection);
// Does what it has asked for its terminal's size up to now.
void HearResizes(Connection* from);
void ReplyRecord(Connection* to, const Container& container);
void ReplyRefused(Connection* to, int error, const char* sentence, const char* object = "");
void ReplyExecStarted(Connection* to, pid_t pid, int terminal);
void ReplyExecEnded(Connection* to, int exit_code, int signal);
void ReplyAttached(Connection* to);
void ReplyDone(Connection* to);
void ReplyKept(Connection* to, int fd);
void NotifyWatchers(Pod* pod);

extern Pod pod_state;  // main.cc; one process is one pod

}  // namespace cluster::init
