// What the agent and cluster-init say to each other, and the launch plan.
//
// Freestanding: cluster-init is built without the C++ library, so this header uses nothing of it.
// Both sides are always of one build (the agent starts the cluster-init that came with it), but an
// upgraded agent meets older inits: a message carries kWireVersion, and fields are only ever added
// at the end of a message.
//
// Transport: unix SOCK_SEQPACKET. Every message starts with MessageHeader. Integers are
// little-endian (both sides run on one machine), a string is u32 length, bytes, NUL, and holds no
// NUL of its own; a list is u32 count and its items. Large data (launch plans) travels in a memfd.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace cluster::init {

constexpr uint32_t kWireVersion = 1;
constexpr size_t kMaxMessage = 64 * 1024;
constexpr size_t kMaxPlan = 8 << 20;
constexpr size_t kMaxFds = 240;  // in one message; the kernel takes 253
constexpr size_t kMaxName = 128;
constexpr size_t kMaxText = 512;                         // messages for people
constexpr char kUserNamespaceName[] = "user-namespace";  // kFetch: the pod's, where it has one

// Requests name what they want; the comment lists payload and descriptors, then the reply.
enum class MessageType : uint32_t {
  // flags; fds: v1 `tasks` files that cluster-init is to enter -> kWelcome
  kHello = 1,
  kStart,     // plan size, flags; fds see kStartFixedFds. The process builds its root, then waits.
  kGo,        // flags; fds see below. It goes on -> kRecord | kRefused
  kSignal,    // name, attempt, signal -> kDone | kRefused (ESRCH: no such instance)
  kExec,      // ExecRequest -> kExecStarted, later kExecEnded | kRefused
  kExecKill,  // ends the command of this connection -> no reply of its own
  kQuery,     // -> kRecords
  kWatch,     // -> kDone, and from then on kChanged after every change
  kShutdown,  // kills what is left; -> kDone when all has ended, then the process exits
  kSysctls = 20,  // pairs of name and value, written in the pod's namespaces -> kDone | kRefused
  kKeep = 30,     // name; fd: kept under that name for as long as cluster-init lives -> kDone |
                  // kRefused (EEXIST: one of that name is kept already)
  kFetch,         // name -> kKept | kRefused (ENOENT)
  // name, attempt, flags; fds: [stdin], stdout, stderr, the ends of pipes -> kAttached, later
  // kExecEnded with the container | kRefused
  kAttach = 40,
  kResize = 41,  // rows, columns; of the terminal this connection is attached to -> no reply
  // To a template (mould.h): flags, first id; fd: the new mould's socket -> no reply
  kMould = 50,
  // To a mould: uid, host name, flags, first id; fds: log, listening socket, [lease],
  // [v2 dir to be born in]
  // -> no reply, or kRefused; then the conversation is with cluster-init
  kBecome = 51,

  kWelcome =
      100,  // pid; fds: network namespace, pidfd of cluster-init, NETLINK_ROUTE socket inside
  kDone,
  kRefused,      // errno, sentence
  kRecord,       // one Record
  kRecords,      // list of Record
  kExecStarted,  // pid; fd: pty master, with a terminal
  kExecEnded,    // exit code, signal
  kChanged,      // no payload: look again
  kKept = 130,   // fd
  kAttached = 140,
  kMoulded = 150,  // fds: network namespace, NETLINK_ROUTE socket inside
};

struct MessageHeader {
  uint32_t version;
  MessageType type;
};

// kStart comes first and kGo when the rest of the machine is ready for the container (its v1
// cgroups, the pod's network): both take about as long as building the root, so they go on side by
// side. A connection that closes in between takes the start back, as if it had never been.
enum StartFlags : uint32_t {
  kHasCgroup2 = 1,  // kStart: v2 cgroup directory, for CLONE_INTO_CGROUP
  kHasOomFile = 2,  // kGo: memory.oom_control or memory.events of the container's cgroup
};
// kStart: 0 plan (memfd), 1 the instance's directory, 2 log file (O_APPEND), [v2 dir], the plan's
// kVolume mounts in their order
// kGo: [oom file], v1 tasks...
constexpr size_t kStartFixedFds = 3;

enum HelloFlags : uint32_t { kHelloWatches = 1 };  // as after kWatch
enum MouldFlags : uint32_t {
  kPodHasUsers = 1,  // 65536 ids from the first id on
  kPodSharesProcesses = 2,
  kPodInNodeNetwork = 4,
  kPodInNodeIpc = 8,
  kMouldReady = 16,  // kMould: its namespaces are made at once; no sharing then
  kMouldTells = 32,  // kMould: once they are there -> kMoulded
  kPodLeased = 64,   // kBecome: the pod ends with the lease in the file that comes along
};

enum ExecFlags : uint32_t { kExecTty = 1, kExecCgroup2 = 2 };
// kExec: name, flags, cgroup fd count, rows, columns, argv.
// fds: without a terminal stdin, stdout, stderr; then [v2 dir], v1 tasks...

enum AttachFlags : uint32_t { kAttachStdin = 1 };

enum class Phase : uint32_t { kStarting = 0, kRunning = 1, kExited = 2 };

// How a step of the plan mounts.
enum class MountKind : uint32_t {
  kFilesystem = 0,  // fsopen(source)
  kBind = 1,        // clone of the host's path `source`
  kPodShm = 2,      // the pod's shared /dev/shm
  kVolume = 3,      // a mount that the agent made and sent along; `source` is its name, for people
};

enum MountFlags : uint32_t {
  kTargetIsFile = 1,  // make an empty file, not a directory, when the target is missing
  kFollowSymlinks =
      2,             // the image's links may be followed (inside the root); else they are refused
  kPopulateDev = 4,  // devices and links are made in this mount
  kMapIds =
      8,  // kBind in a pod with a user namespace: the files belong to the pod's ids (idmapped)
  // The mount is made before the container has namespaces of its own, by the node's root: it shows
  // devices, and the container's root cannot reconfigure it. (Binds and the root always are.)
  kMadeByNode = 16,
  kMayHideSystem = 32,   // may land on the system's own mounts (all but /proc)
  kOnlyWhereFound = 64,  // left out where the target is missing, or is no file
};

enum LaunchFlags : uint32_t {
  kNoNewPrivileges = 1,
  kReadOnlyRoot = 2,
  kLegacyOverlay = 4,  // mount(2) instead of fsconfig(2): what kernels before 6.15 get
  kCgroup2Alone = 8,   // no v1: the cgroup namespace comes before the mounts, one of which shows it
  kSetGid = 16,        // the plan's `gid` instead of the user's
  kMustNotBeRoot = 32,     // refused as uid 0
  kOnlyListedGroups = 64,  // not those of the image's /etc/group
  kTimeNamespace = 128,    // with the plan's offsets
  kSharedProcesses = 256,  // lives in the pid namespace of the pod
  kNodeProcesses = 512,    // lives in the node's pid namespace
  kOomKillsAll = 1024,     // v1: an OOM kill inside of it takes all of it
  kTerminal = 1 << 16,     // a pty for stdin, stdout and stderr
  kKeepStdin = 1 << 17,    // what those write who attach; without it /dev/null (or the pty)
  kStdinOnce = 1 << 18,    // ends with the first one who attached to it
};

// Reads a message or plan; every access is length-checked, and after the first violation ok() is
// false and everything reads as zero or "". Strings point into the buffer.
class WireReader {
 public:
  WireReader(const void* data, size_t size) : at_(static_cast<const char*>(data)), left_(size) {}

  uint32_t U32() { return Number<uint32_t>(); }
  int32_t I32() { return Number<int32_t>(); }
  uint64_t U64() { return Number<uint64_t>(); }
  int64_t I64() { return Number<int64_t>(); }

  const char* String() {
    const uint32_t length = U32();
    if (!ok_ || length >= left_ || at_[length] != 0 || memchr(at_, 0, length) != nullptr) {
      ok_ = false;
      return "";
    }
    const char* text = at_;
    at_ += length + 1;
    left_ -= length + 1;
    return text;
  }

  // A u32 length and as many bytes.
  const void* Bytes(size_t* size) {
    *size = U32();
    if (*size > left_) ok_ = false;
    if (!ok_) *size = 0;
    const void* bytes = at_;
    at_ += *size;
    left_ -= *size;
    return bytes;
  }

  // The count of a list whose items take at least `item_size` bytes each.
  uint32_t Count(size_t item_size) {
    const uint32_t count = U32();
    if (count > left_ / item_size) ok_ = false;
    return ok_ ? count : 0;
  }

  bool ok() const { return ok_; }
  size_t left() const { return left_; }

 private:
  template <typename T>
  T Number() {
    T value = 0;
    if (left_ < sizeof value) {
      ok_ = false;
      left_ = 0;
      return 0;
    }
    memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    left_ -= sizeof value;
    return value;
  }

  const char* at_;
  size_t left_;
  bool ok_ = true;
};

// Writes into a Sink with `void Append(const void*, size_t)`.
template <typename Sink>
class WireWriter {
 public:
  explicit WireWriter(Sink* sink) : sink_(sink) {}
  void U32(uint32_t value) { sink_->Append(&value, sizeof value); }
  void I32(int32_t value) { sink_->Append(&value, sizeof value); }
  void U64(uint64_t value) { sink_->Append(&value, sizeof value); }
  void I64(int64_t value) { sink_->Append(&value, sizeof value); }
  void String(const char* text, size_t length) {
    U32(static_cast<uint32_t>(length));
    sink_->Append(text, length);
    sink_->Append("", 1);
  }
  void String(const char* text) { String(text, strlen(text)); }
  void Bytes(const void* bytes, size_t size) {
    U32(static_cast<uint32_t>(size));
    sink_->Append(bytes, size);
  }
  void Header(MessageType type) {
    U32(kWireVersion);
    U32(static_cast<uint32_t>(type));
  }

 private:
  Sink* sink_;
};

}  // namespace cluster::init
