#include "controller/store/sqlite_store.h"

#include <sys/stat.h>

#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/process_lock.h"
#include "base/status.h"
#include "controller/store/checkpointer.h"
#include "controller/store/fanout.h"
#include "controller/store/group_writer.h"
#include "controller/store/sqlite_files.h"
#include "controller/store/sqlite_reader.h"
#include "controller/store/sqlite_schema.h"
#include "controller/store/sqlite_writer.h"

namespace cluster::store {
namespace {

constexpr size_t kSweepRows = 1000;

// Everything that a store is made of, in the order of making.
struct Parts {
  std::optional<ProcessLock> lock;
  Contents contents;
  std::unique_ptr<TableWriter> tables;
  std::unique_ptr<TableReader> reader;
  std::unique_ptr<Mutex> checkpoint_turn = std::make_unique<Mutex>();
  std::unique_ptr<Checkpointer> checkpointer;
  std::unique_ptr<HeadFile> head;
  std::unique_ptr<Ballast> ballast;
};

class OpenStore : public SqliteStore {
 public:
  OpenStore(const SqliteOptions& options, Parts parts);
  ~OpenStore() override;

  void Submit(Txn txn, SubmitCallback done) override {
    writer_.Submit(std::move(txn), std::move(done));
  }
  absl::StatusOr<Listing> List(const std::string& prefix, Rev at) override {
    return reader_->List(prefix, at);
  }
  std::unique_ptr<WatchHandle> Watch(const std::string& prefix, Rev after,
                                     WatchSink* sink) override {
    return fanout_.Add(prefix, after, sink);
  }
  absl::StatusOr<LeaseId> Grant(absl::Duration ttl) override { return writer_.Grant(ttl); }
  absl::Status KeepAlive(LeaseId lease) override { return writer_.KeepAlive(lease); }
  absl::Status Revoke(LeaseId lease) override { return writer_.Revoke(lease); }
  absl::Status Compact(Rev rev) override;
  Rev CurrentRev() override { return writer_.rev(); }
  Rev OldestRev() override { return writer_.compacted(); }
  Health GetHealth() override { return writer_.health(); }
  int64_t Term() override { return term_; }
  SqliteStats GetStats() const override;

 private:
  const ProcessLock lock_;
  const int64_t term_;
  const std::unique_ptr<TableReader> reader_;
  const std::unique_ptr<Mutex> checkpoint_turn_;
  const std::unique_ptr<Checkpointer> checkpointer_;
  Connection* const connection_;  // of the writer
  Fanout fanout_;
  GroupWriter writer_;
  std::thread writing_;
  std::thread delivering_;
  std::thread checkpointing_;
};

OpenStore::OpenStore(const SqliteOptions& options, Parts parts)
    : lock_(std::move(*parts.lock)),
      term_(parts.tables->term()),
      reader_(std::move(parts.reader)),
      checkpoint_turn_(std::move(parts.checkpoint_turn)),
      checkpointer_(std::move(parts.checkpointer)),
      connection_(parts.tables->connection()),
      fanout_(parts.tables->rev(), [this](Rev after) { return reader_->ReadHistory(after); }),
      writer_(options, std::move(parts.tables), std::move(*parts.head), std::move(*parts.ballast),
              &fanout_, checkpoint_turn_.get()) {
  writer_.AdoptLeases(parts.contents);
  writer_.SetWalObserver([this](int pages) { checkpointer_->Observe(pages); });
  writing_ = std::thread([this] { writer_.Run(); });
  delivering_ = std::thread([this] { fanout_.Run(); });
  checkpointing_ = std::thread([this] { checkpointer_->Run(); });
}

OpenStore::~OpenStore() {
  writer_.Stop();
  writing_.join();
  fanout_.Stop();
  delivering_.join();
  checkpointer_->Stop();
  checkpointing_.join();
  // Only saves the next start the work: the log holds everything too.
  const int code = sqlite3_wal_checkpoint_v2(connection_->get(), nullptr,
                                             SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  const absl::Status status = SqliteStatus(connection_->get(), code, "checkpoint at the end");
  if (!status.ok()) LOG_WARN("store: {}", std::string(status.message()));
}

absl::Status OpenStore::Compact(Rev rev) {
  const auto set = [rev](TableWriter* tables, std::vector<BatchPtr>*) -> absl::Status {
    if (rev > tables->rev()) {
      return absl::OutOfRangeError(
          absl::StrCat("store: cannot compact to ", rev, ", the store is at ", tables->rev()));
    }
    return tables->SetCompacted(rev);
  };
  RETURN_IF_ERROR(writer_.Do(set, true));
  bool more = true;
  while (more) {
    const auto sweep = [&more](TableWriter* tables, std::vector<BatchPtr>*) -> absl::Status {
      ASSIGN_OR_RETURN(more, tables->Sweep(kSweepRows));
      return absl::OkStatus();
    };
    RETURN_IF_ERROR(writer_.Do(sweep, true));
  }
  return absl::OkStatus();
}

SqliteStats OpenStore::GetStats() const {
  SqliteStats stats;
  stats.transactions = writer_.transactions();
  stats.commits = writer_.commits();
  stats.checkpoints = checkpointer_->done();
  stats.cache_bytes = writer_.cache_bytes();
  return stats;
}

bool HasContent(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && info.st_size > 0;
}

// The file is checked before the first byte is written to it.
absl::StatusOr<Connection> OpenChecked(const SqliteOptions& options, Rev acknowledged,
                                       Contents* contents) {
  if (!HasContent(options.path) && acknowledged > 0) {
    return absl::DataLossError(
        absl::StrCat("the file is missing, but revision ", acknowledged, " was acknowledged"));
  }
  ASSIGN_OR_RETURN(Connection connection, Connection::Open(options.path, options.vfs, true));
  const absl::Status tables = EnsureTables(&connection, acknowledged == 0);
  if (absl::IsDataLoss(tables) && acknowledged > 0) {
    return absl::DataLossError(
        absl::StrCat(tables.message(), ", but revision ", acknowledged, " was acknowledged"));
  }
  RETURN_IF_ERROR(tables);
  ASSIGN_OR_RETURN(*contents, CheckAndRead(&connection));
  if (contents->rev < acknowledged) {
    return absl::DataLossError(
        absl::StrCat("revision ", acknowledged, " was acknowledged, but the file ends with ",
                     contents->rev, ": ", options.path, "-wal is torn or missing"));
  }
  return connection;
}

absl::Status RaiseTerm(TableWriter* tables) {
  absl::Status status = tables->Begin();
  if (status.ok()) status = tables->RaiseTerm();
  if (status.ok()) status = tables->Commit();
  if (!status.ok()) tables->Rollback();
  return status;
}

absl::StatusOr<Parts> MakeParts(const SqliteOptions& options) {
  Parts parts;
  ASSIGN_OR_RETURN(ProcessLock lock, ProcessLock::Take(options.path + "-lock"));
  parts.lock.emplace(std::move(lock));
  ASSIGN_OR_RETURN(HeadFile head, HeadFile::Open(options.path));
  parts.head = std::make_unique<HeadFile>(std::move(head));
  ASSIGN_OR_RETURN(Ballast ballast, Ballast::Open(options.path, options.ballast_bytes));
  parts.ballast = std::make_unique<Ballast>(std::move(ballast));

  ASSIGN_OR_RETURN(Connection connection, OpenChecked(options, parts.head->rev(), &parts.contents));
  ASSIGN_OR_RETURN(parts.tables, TableWriter::Make(std::move(connection), parts.contents));
  absl::Status raised = RaiseTerm(parts.tables.get());
  if (absl::IsResourceExhausted(raised) && parts.ballast->held()) {
    RETURN_IF_ERROR(parts.ballast->Release());
    raised = RaiseTerm(parts.tables.get());
  }
  RETURN_IF_ERROR(raised);

  ASSIGN_OR_RETURN(Connection reading, Connection::Open(options.path, options.vfs, false));
  ASSIGN_OR_RETURN(parts.reader, TableReader::Make(std::move(reading)));
  ASSIGN_OR_RETURN(Connection checkpoints, Connection::Open(options.path, options.vfs, false));
  RETURN_IF_ERROR(Configure(&checkpoints));
  parts.checkpointer = std::make_unique<Checkpointer>(
      std::move(checkpoints), options.checkpoint_pages, parts.checkpoint_turn.get());
  return parts;
}

absl::Status Refuse(const std::string& path, const absl::Status& status) {
  const absl::Status named = Annotate(status, absl::StrCat("store ", path));
  if (!absl::IsDataLoss(status)) return named;
  return absl::Status(
      named.code(),
      absl::StrCat(named.message(), "; nothing was changed: restore ", path, ", ", path,
                   "-wal and ", path, "-head from a copy, or move them away to start empty"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const SqliteOptions& options) {
  absl::StatusOr<Parts> parts = MakeParts(options);
  if (!parts.ok()) return Refuse(options.path, parts.status());
  return std::make_unique<OpenStore>(options, *std::move(parts));
}

}  // namespace cluster::store
