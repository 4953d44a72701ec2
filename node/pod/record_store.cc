#include "node/pod/record_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "openssl/sha.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::node {
namespace {

// Frame: length of the payload (4 bytes, little endian), checksum (8 bytes), payload.
constexpr size_t kHeaderBytes = 12;
constexpr size_t kChecksumBytes = 8;
constexpr size_t kMaxFileBytes = size_t{1} << 30;
// A second's work.
constexpr size_t kMostLookedAt = size_t{256} << 20;
// Below this a rewrite is not worth its fsync.
constexpr int64_t kMinRewriteBytes = 1 << 20;
constexpr char kFileName[] = "state.log";
constexpr int64_t kHeldRoom = 4 << 20;
constexpr int64_t kLeastRoom = 1 << 20;

// Whether that is what lies there.
bool IsAt(int fd, const std::string& path) {
  struct stat ours {};
  struct stat there {};
  return ::fstat(fd, &ours) == 0 && ::stat(path.c_str(), &there) == 0 &&
         ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

std::string Checksum(absl::string_view payload) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(payload.data()), payload.size(), digest);
  return std::string(reinterpret_cast<const char*>(digest), kChecksumBytes);
}

std::string Frame(const v1::NodeStateChange& change) {
  const std::string payload = change.SerializeAsString();
  std::string frame;
  for (int shift = 0; shift < 32; shift += 8) {
    frame += static_cast<char>((payload.size() >> shift) & 0xff);
  }
  absl::StrAppend(&frame, Checksum(payload), payload);
  return frame;
}

size_t PayloadBytes(absl::string_view header) {
  size_t bytes = 0;
  for (size_t i = 0; i < 4; ++i) {
    bytes |= static_cast<size_t>(static_cast<unsigned char>(header[i])) << (8 * i);
  }
  return bytes;
}

// The next frame's payload, or nothing when what is left is no whole, correct frame.
std::optional<absl::string_view> TakeFrame(absl::string_view rest) {
  if (rest.size() < kHeaderBytes) return std::nullopt;
  const size_t bytes = PayloadBytes(rest);
  if (bytes == 0 || rest.size() - kHeaderBytes < bytes) return std::nullopt;
  const absl::string_view payload = rest.substr(kHeaderBytes, bytes);
  if (Checksum(payload) != rest.substr(4, kChecksumBytes)) return std::nullopt;
  return payload;
}

// Whether a good frame lies anywhere behind the bad one, as far as can be told in bounded time.
bool GoodFrameBehind(absl::string_view rest) {
  size_t looked_at = 0;
  while (rest.size() > kHeaderBytes && looked_at < kMostLookedAt) {
    rest.remove_prefix(1);
    const size_t bytes = rest.size() < kHeaderBytes ? 0 : PayloadBytes(rest);
    if (bytes == 0 || bytes > rest.size() - kHeaderBytes) continue;
    if (TakeFrame(rest).has_value()) return true;
    looked_at += bytes;
  }
  return false;
}

// Whether a bad end of the file is what a crash in the middle of a write leaves behind: the frame
// reaches beyond the end, is the last one, or its blocks were never written. A length that is
// damaged reaches beyond the end too, but then frames follow.
bool IsTorn(absl::string_view rest) {
  if (rest.size() < kHeaderBytes) return true;
  if (rest.find_first_not_of('\0') == absl::string_view::npos) return true;
  return rest.size() - kHeaderBytes <= PayloadBytes(rest) && !GoodFrameBehind(rest);
}

}  // namespace

v1::PodRecord WithoutAssignment(const v1::PodRecord& record) {
  v1::PodRecord stripped = record;
  stripped.clear_assignment();
  stripped.clear_assigned();
  return stripped;
}

v1::AssignmentRecord AssignmentOf(const v1::PodRecord& record) {
  v1::AssignmentRecord assignment;
  assignment.set_uid(record.uid());
  assignment.set_assigned(record.assigned());
  *assignment.mutable_assignment() = record.assignment();
  return assignment;
}

struct RecordStore::Pending {
  v1::NodeStateChange change;
  absl::Status status;
  bool done = false;
};

RecordStore::RecordStore(std::string directory, ProcessLock lock)
    : directory_(std::move(directory)), lock_(std::move(lock)) {}

absl::StatusOr<std::unique_ptr<RecordStore>> RecordStore::Open(const std::string& directory) {
  RETURN_IF_ERROR(MakeDirectories(directory, 0700));
  ASSIGN_OR_RETURN(ProcessLock lock, ProcessLock::Take(absl::StrCat(directory, "/lock")));
  std::unique_ptr<RecordStore> store(new RecordStore(directory, std::move(lock)));
  RETURN_IF_ERROR(store->Load());
  return store;
}

absl::Status RecordStore::Load() {
  const std::string path = absl::StrCat(directory_, "/", kFileName);
  ASSIGN_OR_RETURN(file_, OpenAt(AT_FDCWD, path, O_RDWR | O_CREAT | O_APPEND, 0600));
  ASSIGN_OR_RETURN(const std::string content, ReadFile(path, kMaxFileBytes));
  absl::string_view rest = content;
  MutexLock lock(&mutex_);
  while (!rest.empty()) {
    const std::optional<absl::string_view> payload = TakeFrame(rest);
    const size_t offset = content.size() - rest.size();
    if (!payload) {
      if (IsTorn(rest)) break;
      return absl::DataLossError(absl::StrCat(path, " is damaged at byte ", offset,
                                              "; restore it, or remove it together with the ",
                                              "node's pods to start anew"));
    }
    v1::NodeStateChange change;
    if (!change.ParseFromArray(payload->data(), static_cast<int>(payload->size()))) {
      return absl::DataLossError(
          absl::StrCat(path, " holds an unreadable record at byte ", offset));
    }
    Apply(change);
    rest.remove_prefix(kHeaderBytes + payload->size());
  }
  durable_bytes_ = static_cast<int64_t>(content.size() - rest.size());
  if (!rest.empty() && ::ftruncate(file_.get(), durable_bytes_) != 0) {
    return ErrnoStatus("truncate", path);
  }
  // The file itself must be there after a power loss, not only its content.
  if (::fsync(file_.get()) != 0) return ErrnoStatus("fsync", path);
  RETURN_IF_ERROR(SyncDirectory(directory_));
  HoldRoom();
  return absl::OkStatus();
}

void RecordStore::Apply(const v1::NodeStateChange& change) {
  for (const v1::PodRecord& record : change.pods()) {
    v1::PodRecord& known = pods_[record.uid()];
    v1::Assignment assignment = std::move(*known.mutable_assignment());
    const bool assigned = known.assigned();
    known = record;
    *known.mutable_assignment() = std::move(assignment);
    known.set_assigned(assigned);
  }
  for (const v1::AssignmentRecord& record : change.assignments()) {
    const auto known = pods_.find(record.uid());
    if (known == pods_.end()) continue;
    known->second.set_assigned(record.assigned());
    if (record.has_assignment()) *known->second.mutable_assignment() = record.assignment();
  }
  for (const std::string& uid : change.erased()) pods_.erase(uid);
  if (change.has_node()) node_ = change.node();
  if (change.has_services()) services_ = change.services();
}

std::map<std::string, v1::PodRecord> RecordStore::Pods() const {
  MutexLock lock(&mutex_);
  return pods_;
}

v1::NodeRecord RecordStore::Node() const {
  MutexLock lock(&mutex_);
  return node_;
}

v1::KnownServicesRecord RecordStore::Services() const {
  MutexLock lock(&mutex_);
  return services_;
}

// So that pods can be ended, which is written down first, on a disk that is full. Where the file
// system cannot, nothing is lost but that.
void RecordStore::HoldRoom() {
  static_cast<void>(::fallocate(file_.get(), FALLOC_FL_KEEP_SIZE, durable_bytes_, kHeldRoom));
  held_until_ = durable_bytes_ + kHeldRoom;
}

absl::Status RecordStore::WriteFrames(const std::string& frames) {
  absl::Status status = broken_;
  if (status.ok()) status = WriteAll(file_.get(), frames);
  if (status.ok() && ::fdatasync(file_.get()) != 0) status = ErrnoStatus("fdatasync", kFileName);
  if (status.ok()) {
    durable_bytes_ += static_cast<int64_t>(frames.size());
    if (durable_bytes_ > held_until_ - kLeastRoom) HoldRoom();
    return status;
  }
  // What was written in part must not be read back as a frame, nor stand before the next one.
  if (broken_.ok() && ::ftruncate(file_.get(), durable_bytes_) != 0) {
    broken_ = ErrnoStatus("truncate", kFileName);
  }
  HoldRoom();
  return Annotate(status, absl::StrCat("state in ", directory_));
}

absl::Status RecordStore::Rewrite(const v1::NodeStateChange& everything) {
  const std::string frame = Frame(everything);
  if (durable_bytes_ < 4 * static_cast<int64_t>(frame.size())) return absl::OkStatus();
  const std::string path = absl::StrCat(directory_, "/", kFileName);
  absl::Status status = WriteFileDurably(path, frame);
  auto fresh = OpenAt(AT_FDCWD, path, O_RDWR | O_APPEND);
  if (status.ok()) status = fresh.status();
  if (!status.ok()) {
    // The old file is whole, but nothing may be written to one that has lost its name to the new.
    if (!IsAt(file_.get(), path)) broken_ = status;
    return status;
  }
  file_ = *std::move(fresh);
  durable_bytes_ = static_cast<int64_t>(frame.size());
  HoldRoom();
  return absl::OkStatus();
}

void RecordStore::WriteQueue() {
  while (!queue_.empty()) {
    std::vector<Pending*> batch = std::move(queue_);
    queue_.clear();
    std::string frames;
    for (const Pending* pending : batch) frames += Frame(pending->change);
    mutex_.Unlock();
    const absl::Status status = WriteFrames(frames);
    mutex_.Lock();
    for (Pending* pending : batch) {
      if (status.ok()) Apply(pending->change);
      pending->status = status;
      pending->done = true;
    }
    written_.SignalAll();
  }
  if (durable_bytes_ < next_rewrite_bytes_) return;
  v1::NodeStateChange everything;
  for (const auto& [uid, record] : pods_) {
    *everything.add_pods() = WithoutAssignment(record);
    *everything.add_assignments() = AssignmentOf(record);
  }
  *everything.mutable_node() = node_;
  *everything.mutable_services() = services_;
  mutex_.Unlock();
  const absl::Status rewritten = Rewrite(everything);
  // A rewrite that fails leaves the old file, which is whole; it is tried again when it has grown.
  next_rewrite_bytes_ = std::max(kMinRewriteBytes, (rewritten.ok() ? 4 : 2) * durable_bytes_);
  mutex_.Lock();
}

absl::Status RecordStore::Commit(v1::NodeStateChange change) {
  Pending pending;
  pending.change = std::move(change);
  MutexLock lock(&mutex_);
  queue_.push_back(&pending);
  while (!pending.done && writing_) written_.Wait(&mutex_);
  if (!pending.done) {
    writing_ = true;
    WriteQueue();
    writing_ = false;
    written_.SignalAll();
  }
  return pending.status;
}

absl::Status RecordStore::Put(const v1::PodRecord& record) {
  v1::NodeStateChange change;
  *change.add_pods() = WithoutAssignment(record);
  return Commit(std::move(change));
}

}  // namespace cluster::node
