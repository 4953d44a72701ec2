// A file that is torn, corrupt or incomplete is refused with a sentence and left as it is; whatever
// opens shows exactly what was written.
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "base/file.h"
#include "tests/integration/controller/store/sqlite_fixture.h"

namespace cluster::store {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const char* const kFiles[] = {"store.db", "store.db-wal", "store.db-head"};

std::string Content(const std::string& path) {
  return fs::exists(path) ? ReadFile(path, 64 << 20).value() : "absent";
}

void Overwrite(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

class DamageTest : public SqliteFixture {
 protected:
  // Writes in a child that dies without closing when `torn`, so that the log still is there.
  void Fill(bool torn) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto store = SqliteStore::Open(Options(directory_));
      if (!store.ok()) _exit(2);
      for (int i = 0; i < 60; ++i) {
        const std::string value(static_cast<size_t>(i * 37 % 900), static_cast<char>('a' + i % 26));
        if (i % 6 == 5) {
          Delete(store->get(), absl::StrCat("k", i - 3));
        } else {
          Put(store->get(), absl::StrCat("k", i % 20), value);
        }
      }
      if (!(*store)->Grant(absl::Seconds(60)).ok()) _exit(3);
      if (torn) _exit(0);
      store->reset();
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    whole_ = directory_ + "/whole";
    fs::create_directory(whole_);
    for (const char* file : kFiles) {
      if (fs::exists(directory_ + "/" + file)) {
        fs::copy(directory_ + "/" + file, whole_ + "/" + file);
      }
    }
    truth_ = TruthOf(whole_);
  }

  // Everything that can be seen of the store: the state at each revision.
  std::vector<std::string> TruthOf(const std::string& from) {
    const std::string copy = directory_ + "/truth";
    fs::remove_all(copy);
    fs::copy(from, copy);
    auto store = SqliteStore::Open(Options(copy));
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? See(store->get()) : std::vector<std::string>();
  }
  static std::vector<std::string> See(Store* store) {
    std::vector<std::string> all;
    for (Rev rev = 1; rev <= store->CurrentRev(); ++rev) {
      all.push_back(absl::StrCat("revision ", rev));
      for (const std::string& text : ListText(store, "", rev)) all.push_back(text);
    }
    return all;
  }

  // Opens a copy with one file changed. True when it was refused.
  bool Refused(const std::string& file, const std::string& content) {
    const std::string copy = directory_ + "/copy";
    fs::remove_all(copy);
    fs::copy(whole_, copy);
    Overwrite(copy + "/" + file, content);
    std::map<std::string, std::string> before;
    for (const char* name : kFiles) before[name] = Content(copy + "/" + name);
    auto store = SqliteStore::Open(Options(copy));
    if (store.ok()) {
      EXPECT_EQ(See(store->get()), truth_) << "damage in " << file << " went unseen";
      return false;
    }
    EXPECT_TRUE(absl::IsDataLoss(store.status()) || absl::IsFailedPrecondition(store.status()))
        << store.status();
    EXPECT_THAT(std::string(store.status().message()), HasSubstr(copy + "/store.db"));
    for (const char* name : kFiles) {
      EXPECT_EQ(Content(copy + "/" + name), before[name])
          << name << " was changed after: " << store.status();
    }
    return true;
  }

  void FlipBytesOf(const std::string& file, int rounds, int least_refused) {
    const std::string good = Content(whole_ + "/" + file);
    std::mt19937 random(99);
    int refused = 0;
    for (int round = 0; round < rounds && !HasFailure(); ++round) {
      std::string bad = good;
      const size_t at = random() % bad.size();
      bad[at] = static_cast<char>(bad[at] ^ (1 << (random() % 8)));
      refused += Refused(file, bad) ? 1 : 0;
    }
    EXPECT_GE(refused, least_refused);
  }
  void CutShort(const std::string& file, int steps) {
    const std::string good = Content(whole_ + "/" + file);
    for (int step = 0; step < steps && !HasFailure(); ++step) {
      const size_t size = good.size() * static_cast<size_t>(step) / static_cast<size_t>(steps);
      EXPECT_TRUE(Refused(file, good.substr(0, size))) << file << " cut to " << size;
    }
  }

  std::string whole_;
  std::vector<std::string> truth_;
};

TEST_F(DamageTest, FlippedBytesOfTheDatabaseNeverChangeWhatIsSeen) {
  Fill(/*torn=*/false);
  FlipBytesOf("store.db", 400, 100);
}

TEST_F(DamageTest, FlippedBytesOfTheLogNeverChangeWhatIsSeen) {
  Fill(/*torn=*/true);
  FlipBytesOf("store.db-wal", 400, 100);
}

TEST_F(DamageTest, ADamagedHeadIsRefused) {
  Fill(/*torn=*/false);
  FlipBytesOf("store.db-head", 50, 45);
}

TEST_F(DamageTest, ADatabaseCutShortIsRefused) {
  Fill(/*torn=*/false);
  CutShort("store.db", 25);
}

TEST_F(DamageTest, ALogCutShortIsRefused) {
  Fill(/*torn=*/true);
  CutShort("store.db-wal", 25);
}

TEST_F(DamageTest, AMissingLogIsNoticed) {
  Fill(/*torn=*/true);
  fs::remove(whole_ + "/store.db-wal");
  const absl::Status status = SqliteStore::Open(Options(whole_)).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("acknowledged"));
}

TEST_F(DamageTest, AMissingDatabaseIsNotReplacedByAnEmptyOne) {
  Fill(/*torn=*/false);
  fs::remove(whole_ + "/store.db");
  const absl::Status status = SqliteStore::Open(Options(whole_)).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("missing"));
  EXPECT_FALSE(fs::exists(whole_ + "/store.db"));
}

TEST_F(DamageTest, RemovingTheHeadAcceptsTheLoss) {
  Fill(/*torn=*/true);
  const std::string log = Content(whole_ + "/store.db-wal");
  Overwrite(whole_ + "/store.db-wal", log.substr(0, log.size() * 3 / 4));
  fs::remove(whole_ + "/store.db-head");
  auto store = SqliteStore::Open(Options(whole_));
  ASSERT_TRUE(store.ok()) << store.status();
  const std::vector<std::string> seen = See(store->get());
  ASSERT_LT(seen.size(), truth_.size());
  EXPECT_TRUE(std::equal(seen.begin(), seen.end(), truth_.begin())) << "an earlier state, whole";
}

TEST_F(DamageTest, ADatabaseOfAnotherProgramIsRefused) {
  fs::create_directory(directory_ + "/other");
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((directory_ + "/other/store.db").c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "CREATE TABLE music(title)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  const absl::Status status = SqliteStore::Open(Options(directory_ + "/other")).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("another program"));
}

TEST_F(DamageTest, AFileThatIsNoDatabaseIsRefused) {
  Overwrite(Path(), std::string(10'000, 'x'));
  const absl::Status status = SqliteStore::Open(Options(directory_)).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_EQ(Content(Path()), std::string(10'000, 'x'));
}

TEST_F(DamageTest, AnAbsentDirectoryIsTold) {
  const absl::Status status = SqliteStore::Open(Options(directory_ + "/absent")).status();
  EXPECT_TRUE(absl::IsNotFound(status));
}

// Rows that were taken out cleanly, by someone with a database tool, leave no damaged page behind.
TEST_F(DamageTest, RowsThatWereTakenOutAreMissed) {
  Fill(/*torn=*/false);
  for (const char* sql :
       {"DELETE FROM kv WHERE k = CAST('k1' AS BLOB)", "DELETE FROM hist WHERE rev = 20",
        "DELETE FROM txn WHERE rev = 20", "DELETE FROM txn WHERE rev = 60", "DELETE FROM lease",
        "DELETE FROM meta WHERE name = CAST('term' AS BLOB)",
        "UPDATE kv SET v = CAST('z' AS BLOB) WHERE k = CAST('k1' AS BLOB)",
        "UPDATE meta SET value = 7 WHERE name = CAST('compacted' AS BLOB)"}) {
    const std::string copy = directory_ + "/copy";
    fs::remove_all(copy);
    fs::copy(whole_, copy);
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((copy + "/store.db").c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    ASSERT_GT(sqlite3_changes(db), 0) << sql;
    sqlite3_close(db);
    EXPECT_TRUE(absl::IsDataLoss(SqliteStore::Open(Options(copy)).status())) << sql;
  }
}

}  // namespace
}  // namespace cluster::store
