// A full disk, really: a small tmpfs in a mount namespace of the test's own.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"
#include "tests/contract/controller/store/store_under_test.h"

namespace cluster::store {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class DiskFullTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0) << ErrnoName(errno);
    ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0) << ErrnoName(errno);
  }
  DiskFullTest() {
    char path[] = "/tmp/cluster-full-XXXXXX";
    directory_ = mkdtemp(path);
    EXPECT_EQ(::mount("none", directory_.c_str(), "tmpfs", 0, "size=8m"), 0) << ErrnoName(errno);
    Open();
  }
  ~DiskFullTest() override {
    store_.reset();
    ::umount2(directory_.c_str(), MNT_DETACH);
    std::filesystem::remove_all(directory_);
  }
  void Open() {
    store_.reset();
    SqliteOptions options;
    options.path = directory_ + "/store.db";
    options.clock = &clock_;
    // Everything a sixteenth of the usual, like the disk.
    options.ballast_bytes = 1 << 20;
    options.checkpoint_pages = 60;
    options.max_wal_pages = 180;
    auto opened = SqliteStore::Open(options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  // Takes what is left of the disk.
  void FillTheDisk() {
    auto fd = OpenAt(AT_FDCWD, directory_ + "/filler", O_WRONLY | O_CREAT | O_APPEND);
    ASSERT_TRUE(fd.ok());
    const std::string block(4096, 'x');
    while (WriteAll(fd->get(), block).ok()) continue;
  }
  void FreeTheDisk() { std::filesystem::remove(directory_ + "/filler"); }
  // Writes until the disk is full; the keys that were acknowledged.
  std::vector<std::string> PutUntilFull(size_t value_bytes) {
    std::vector<std::string> keys;
    for (int i = 0;; ++i) {
      const std::string key = absl::StrCat("k", i);
      const absl::Status status =
          Write(store_.get(), {PutOp(key, std::string(value_bytes, 'v'))}).status;
      if (!status.ok()) {
        EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
        return keys;
      }
      keys.push_back(key);
      if (i > 100'000) {
        ADD_FAILURE() << "the disk never was full";
        return keys;
      }
    }
  }
  // What lies on the disk, for messages.
  std::string Sizes() {
    std::string text = "\n";
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      absl::StrAppend(&text, entry.path().filename().string(), " ", entry.file_size(), "\n");
    }
    return text;
  }
  std::vector<std::string> KeysThere() {
    std::vector<std::string> keys;
    const Listing listing = *store_->List("k");
    for (const Kv& kv : listing.kvs) keys.push_back(kv.key);
    return keys;
  }

  TestClock clock_;
  std::string directory_;
  std::unique_ptr<SqliteStore> store_;
};

TEST_F(DiskFullTest, ItTurnsReadOnlyWithASentenceAndLosesNothing) {
  std::vector<std::string> keys = PutUntilFull(3000);
  EXPECT_EQ(store_->GetHealth().state, HealthState::kReadOnly);
  const absl::Status refused = Write(store_.get(), {PutOp("more", "1")}).status;
  EXPECT_TRUE(absl::IsResourceExhausted(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("disk is full"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("delete"));
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(KeysThere(), keys);
}

TEST_F(DiskFullTest, DeletesStillWork) {
  Put(store_.get(), "k", "1");
  Put(store_.get(), "marked", "1");
  FillTheDisk();
  PutUntilFull(3000);
  ASSERT_EQ(store_->GetHealth().state, HealthState::kReadOnly);
  EXPECT_TRUE(Write(store_.get(), {DeleteOp("k")}, {{"k", 1}}).status.ok());
}

TEST_F(DiskFullTest, EverythingCanBeDeletedOutOfTheReserve) {
  const std::vector<std::string> keys = PutUntilFull(500);
  Txn mark = MakeTxn({PutOp("mark", "for deletion")});
  mark.for_deletion = true;
  EXPECT_TRUE(store_->SubmitAndWait(mark).status.ok());
  for (const std::string& key : keys) {
    const absl::Status status = Write(store_.get(), {DeleteOp(key)}).status;
    ASSERT_TRUE(status.ok()) << key << ": " << status;
  }
  EXPECT_THAT(KeysThere(), IsEmpty());
}

TEST_F(DiskFullTest, WritesAreAcceptedAgainWhenTheDiskHasSpace) {
  FillTheDisk();
  PutUntilFull(3000);
  ASSERT_EQ(store_->GetHealth().state, HealthState::kReadOnly);
  FreeTheDisk();
  EXPECT_TRUE(Write(store_.get(), {PutOp("again", "1")}).status.ok());
  EXPECT_EQ(store_->GetHealth().state, HealthState::kOk);
  EXPECT_TRUE(store_->GetHealth().reason.empty());
}

// Nobody frees anything but the store itself.
TEST_F(DiskFullTest, WhatDeletesFreeIsSpaceAgain) {
  const std::vector<std::string> keys = PutUntilFull(3000);
  for (const std::string& key : keys) {
    const absl::Status status = Write(store_.get(), {DeleteOp(key)}).status;
    ASSERT_TRUE(status.ok()) << key << ": " << status << Sizes();
  }
  EXPECT_TRUE(Write(store_.get(), {PutOp("again", std::string(3000, 'x'))}).status.ok());
  EXPECT_EQ(store_->GetHealth().state, HealthState::kOk);
}

TEST_F(DiskFullTest, WhatNeedsNoSpaceIsAnsweredAsEver) {
  const std::string id(16, 'i');
  const Rev rev = Write(store_.get(), {PutOp("a", "1")}, {{"a", 0}}, id).commit.rev;
  PutUntilFull(3000);
  ASSERT_EQ(store_->GetHealth().state, HealthState::kReadOnly);
  const SubmitResult again = Write(store_.get(), {PutOp("a", "1")}, {{"a", 0}}, id);
  EXPECT_TRUE(again.status.ok()) << again.status;
  EXPECT_EQ(again.commit.rev, rev);
  const SubmitResult conflict = Write(store_.get(), {PutOp("a", "2")}, {{"a", 0}});
  EXPECT_TRUE(absl::IsAborted(conflict.status)) << conflict.status;
  EXPECT_EQ(conflict.conflicts.at(0).mod_rev, rev);
  EXPECT_TRUE(Write(store_.get(), {}, {{"a", rev}}).status.ok());
}

TEST_F(DiskFullTest, AFullDiskCanBeRestartedOn) {
  std::vector<std::string> keys = PutUntilFull(3000);
  Open();
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(KeysThere(), keys);
  EXPECT_TRUE(Write(store_.get(), {DeleteOp(keys.at(0))}).status.ok());
}

TEST_F(DiskFullTest, WatchesAndLeasesGoOn) {
  const LeaseId lease = *store_->Grant(absl::Seconds(5));
  ASSERT_TRUE(Write(store_.get(), {PutOp("leased", "1", lease)}).status.ok());
  const Rev before = store_->CurrentRev();
  PutUntilFull(3000);
  Recorder recorder;
  const auto watch = store_->Watch("leased", before, &recorder);
  clock_.Advance(absl::Seconds(6));
  EXPECT_TRUE(Write(store_.get(), {DeleteOp("k0")}).status.ok());
  EXPECT_THAT(recorder.Until(store_->CurrentRev()), testing::SizeIs(1));
  EXPECT_TRUE(store_->List("leased")->kvs.empty());
}

}  // namespace
}  // namespace cluster::store
