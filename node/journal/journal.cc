#include "node/journal/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "node/journal/frame.h"

namespace cluster::node {
namespace {

constexpr size_t kMaximumFile = size_t{1} << 30;
constexpr size_t kMaximumValue = 1 << 20;
// A rewritten file's frames end here.
constexpr size_t kRewrittenFrame = 4 << 20;
// Rewriting pays once most of a file of some size is history.
constexpr uint64_t kRewriteFrom = 1 << 20;
constexpr uint64_t kRewriteRatio = 4;

size_t SizeOf(const std::string& key, const std::string& value) {
  return key.size() + value.size() + 32;
}

}  // namespace

Journal::~Journal() = default;

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const std::string& path, Survives survives) {
  auto journal = std::unique_ptr<Journal>(new Journal(path, survives));
  ASSIGN_OR_RETURN(ProcessLock lock, ProcessLock::Take(absl::StrCat(path, ".lock")));
  journal->lock_.emplace(std::move(lock));
  RETURN_IF_ERROR(journal->Load());
  return journal;
}

absl::Status Journal::Load() {
  if (::access(path_.c_str(), F_OK) != 0 && errno == ENOENT) {
    RETURN_IF_ERROR(WriteFileDurably(path_, kJournalMagic));
  }
  ASSIGN_OR_RETURN(file_, OpenAt(AT_FDCWD, path_, O_RDWR | O_APPEND));
  ASSIGN_OR_RETURN(const std::string content, ReadFile(path_, kMaximumFile));
  std::vector<Change> changes;
  const auto scanned = ScanJournal(content, [&changes](const FrameChange& change) {
    const Key key{static_cast<RecordKind>(change.kind), std::string(change.key)};
    changes.push_back(Change{key, change.removal, std::string(change.value)});
  });
  if (absl::IsFailedPrecondition(scanned.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat("journal ", path_, ": ", scanned.status().message()));
  }
  if (!scanned.ok() && survives_ == Survives::kAgentCrash) {
    LOG_WARN("journal {}: {}; kept what stands before", path_,
             std::string(scanned.status().message()));
    MutexLock lock(&mutex_);
    Apply(changes);
    return Rewrite(records_);
  }
  if (!scanned.ok()) {
    return absl::DataLossError(absl::StrCat("journal ", path_,
                                            " cannot be trusted: ", scanned.status().message(),
                                            "; move it away to start with an empty one (what the "
                                            "node made before is then found by sweeping)"));
  }
  MutexLock lock(&mutex_);
  Apply(changes);
  sequence_ = scanned->sequence;
  size_ = scanned->good_size;
  if (size_ == content.size()) return absl::OkStatus();
  LOG_WARN("journal {}: dropped {} bytes of an unfinished write", path_, content.size() - size_);
  if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) {
    return ErrnoStatus("truncate", path_);
  }
  return Sync();
}

absl::Status Journal::Sync() {
  if (survives_ == Survives::kAgentCrash || ::fdatasync(file_.get()) == 0) return absl::OkStatus();
  return ErrnoStatus("sync", path_);
}

absl::Status Journal::Put(RecordKind kind, absl::string_view key, absl::string_view value) {
  if (key.size() > UINT16_MAX || value.size() > kMaximumValue) {
    return absl::InvalidArgumentError(absl::StrCat("journal ", path_, ": record of ", key.size(),
                                                   " + ", value.size(), " bytes is too large"));
  }
  return Commit(Change{{kind, std::string(key)}, false, std::string(value)});
}

absl::Status Journal::Remove(RecordKind kind, absl::string_view key) {
  return Commit(Change{{kind, std::string(key)}, true, ""});
}

absl::StatusOr<std::string> Journal::Get(RecordKind kind, absl::string_view key) const {
  MutexLock lock(&mutex_);
  const auto found = records_.find(Key{kind, std::string(key)});
  if (found != records_.end()) return found->second;
  return absl::NotFoundError(absl::StrCat("journal ", path_, ": no record of ", key));
}

std::vector<Record> Journal::All(RecordKind kind) const {
  MutexLock lock(&mutex_);
  std::vector<Record> all;
  for (auto it = records_.lower_bound(Key{kind, ""});
       it != records_.end() && it->first.first == kind; ++it) {
    all.push_back(Record{it->first.second, it->second});
  }
  return all;
}

absl::Status Journal::Commit(Change change) {
  MutexLock lock(&mutex_);
  const auto found = records_.find(change.key);
  const bool there = found != records_.end();
  if (change.removal ? !there : there && found->second == change.value) return absl::OkStatus();
  if (gathering_ == nullptr) gathering_ = std::make_shared<Batch>();
  const std::shared_ptr<Batch> mine = gathering_;
  mine->changes.push_back(std::move(change));
  // Whoever finds nobody leading writes for all that came meanwhile.
  while (!mine->done) {
    if (leading_) {
      turn_.Wait(&mutex_);
    } else {
      Lead();
    }
  }
  return mine->result;
}

void Journal::Lead() {
  const std::shared_ptr<Batch> batch = std::move(gathering_);
  gathering_ = nullptr;
  leading_ = true;
  std::map<Key, std::string> all;
  const bool rewrite = damaged_ || (size_ > kRewriteFrom && size_ > kRewriteRatio * live_bytes_);
  if (rewrite) all = records_;
  mutex_.Unlock();
  if (rewrite) batch->result = Rewrite(all);
  // A rewrite that only wanted to save space may fail; the old file is still good.
  if (!damaged_) batch->result = Append(batch->changes);
  mutex_.Lock();
  if (batch->result.ok()) Apply(batch->changes);
  batch->done = true;
  leading_ = false;
  turn_.SignalAll();
}

absl::Status Journal::Append(const std::vector<Change>& changes) {
  std::string body;
  for (const Change& change : changes) {
    AppendChange(body, FrameChange{change.removal, static_cast<uint8_t>(change.key.first),
                                   change.key.second, change.value});
  }
  const std::string frame = EncodeFrame(sequence_ + 1, body);
  const absl::Status written = WriteAll(file_.get(), frame);
  const absl::Status synced = written.ok() ? Sync() : written;
  if (synced.ok()) {
    ++sequence_;
    size_ += frame.size();
    return synced;
  }
  // After a failed sync nobody knows what is on the disk; after a failed write, it can be cut off.
  damaged_ = written.ok() || ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0;
  return Annotate(synced, absl::StrCat("journal ", path_));
}

absl::Status Journal::Rewrite(const std::map<Key, std::string>& records) {
  std::string content(kJournalMagic);
  uint64_t sequence = 0;
  std::string body;
  for (const auto& [key, value] : records) {
    AppendChange(body, FrameChange{false, static_cast<uint8_t>(key.first), key.second, value});
    if (body.size() < kRewrittenFrame) continue;
    content += EncodeFrame(++sequence, body);
    body.clear();
  }
  if (!body.empty()) content += EncodeFrame(++sequence, body);
  const absl::Status written = WriteFileDurably(path_, content);
  if (!written.ok()) {
    damaged_ = damaged_ || !StillThere();
    return Annotate(written, absl::StrCat("journal ", path_));
  }
  damaged_ = true;  // until we hold the new file
  ASSIGN_OR_RETURN(file_, OpenAt(AT_FDCWD, path_, O_RDWR | O_APPEND));
  sequence_ = sequence;
  size_ = content.size();
  damaged_ = false;
  return absl::OkStatus();
}

bool Journal::StillThere() const {
  struct stat open_file;
  struct stat named_file;
  return ::fstat(file_.get(), &open_file) == 0 && ::stat(path_.c_str(), &named_file) == 0 &&
         open_file.st_dev == named_file.st_dev && open_file.st_ino == named_file.st_ino;
}

void Journal::Apply(const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    const auto found = records_.find(change.key);
    if (found != records_.end()) {
      live_bytes_ -= SizeOf(change.key.second, found->second);
      records_.erase(found);
    }
    if (change.removal) continue;
    live_bytes_ += SizeOf(change.key.second, change.value);
    records_.emplace(change.key, change.value);
  }
}

}  // namespace cluster::node
