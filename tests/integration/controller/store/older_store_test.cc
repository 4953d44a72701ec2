// A file that another version of the store wrote, as this one reads it.
#include <sqlite3.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "controller/store/sqlite_schema.h"
#include "tests/integration/controller/store/sqlite_fixture.h"

namespace cluster::store {
namespace {

// What `sqlite3 store.db .dump` said of a file of the first version (format 1, commit fdaa352): a
// put and another in its place, one under a lease, and one that was deleted again.
constexpr char kFirstDump[] = R"sql(
BEGIN TRANSACTION;
CREATE TABLE kv(k BLOB PRIMARY KEY, v BLOB NOT NULL, create_rev INT NOT NULL, mod_rev INT NOT
  NULL, ver INT NOT NULL, lease INT NOT NULL, wid BLOB NOT NULL, sum INT NOT NULL) WITHOUT ROWID;
INSERT INTO kv VALUES(CAST('configmaps/default/a' AS BLOB),CAST('two' AS BLOB),1,2,2,0,
  CAST('write-two' AS BLOB),-1117205565609311757);
INSERT INTO kv VALUES(CAST('sessions/node1' AS BLOB),CAST('leased' AS BLOB),3,3,1,1,X'',
  -4323378095886141297);
CREATE TABLE hist(rev INT NOT NULL, k BLOB NOT NULL, v BLOB, prev_rev INT NOT NULL, create_rev
  INT NOT NULL, ver INT NOT NULL, lease INT NOT NULL, wid BLOB NOT NULL, sum INT NOT NULL,
  PRIMARY KEY(rev, k)) WITHOUT ROWID;
INSERT INTO hist VALUES(1,CAST('configmaps/default/a' AS BLOB),CAST('one' AS BLOB),0,1,1,0,
  CAST('write-one' AS BLOB),1534798591514622276);
INSERT INTO hist VALUES(2,CAST('configmaps/default/a' AS BLOB),CAST('two' AS BLOB),1,1,2,0,
  CAST('write-two' AS BLOB),2428731528659004162);
INSERT INTO hist VALUES(3,CAST('sessions/node1' AS BLOB),CAST('leased' AS BLOB),0,3,1,1,X'',
  -493361573792699557);
INSERT INTO hist VALUES(4,CAST('configmaps/default/c' AS BLOB),CAST('three' AS BLOB),0,4,1,0,X'',
  302036684258548902);
INSERT INTO hist VALUES(5,CAST('configmaps/default/c' AS BLOB),NULL,4,0,0,0,X'',
  -2724062530607811082);
CREATE TABLE txn(rev INTEGER PRIMARY KEY, id BLOB NOT NULL, digest INT NOT NULL, sum INT NOT
  NULL);
INSERT INTO txn VALUES(0,X'',0,-3730379144824784113);
INSERT INTO txn VALUES(1,CAST('write-one' AS BLOB),6127196387036341728,213439900413045382);
INSERT INTO txn VALUES(2,CAST('write-two' AS BLOB),-1731987863580101962,-6845847670545380946);
INSERT INTO txn VALUES(3,X'',-2679145954488655518,-5040719240964840664);
INSERT INTO txn VALUES(4,X'',-4625638379903090482,-6079531396424574620);
INSERT INTO txn VALUES(5,X'',347588330746153010,4422125439739261700);
CREATE TABLE lease(id INTEGER PRIMARY KEY, ttl_ms INT NOT NULL, sum INT NOT NULL);
INSERT INTO lease VALUES(1,3600000,2553673037903618307);
CREATE TABLE meta(name BLOB PRIMARY KEY, value INT NOT NULL, sum INT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES(CAST('compacted' AS BLOB),0,2408567035256271921);
INSERT INTO meta VALUES(CAST('format' AS BLOB),1,-6939291223214155638);
INSERT INTO meta VALUES(CAST('last_lease' AS BLOB),1,-8719183388699710155);
INSERT INTO meta VALUES(CAST('swept' AS BLOB),0,-199614318596551359);
INSERT INTO meta VALUES(CAST('term' AS BLOB),1,3432469892508472317);
COMMIT;
)sql";

class OlderStore : public SqliteFixture {
 protected:
  void Run(const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(Path().c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
};

TEST_F(OlderStore, AFileOfTheFirstVersionIsWholeAndGoesOn) {
  Run(kFirstDump);
  Open();
  ASSERT_NE(store_, nullptr);
  const Listing listing = store_->List("").value();
  EXPECT_EQ(listing.rev, 5);
  ASSERT_EQ(listing.kvs.size(), 2u);
  EXPECT_EQ(listing.kvs[0].key, "configmaps/default/a");
  EXPECT_EQ(listing.kvs[0].value, "two");
  EXPECT_EQ(listing.kvs[0].create_rev, 1);
  EXPECT_EQ(listing.kvs[0].mod_rev, 2);
  EXPECT_EQ(listing.kvs[0].version, 2);
  EXPECT_EQ(listing.kvs[1].value, "leased");
  EXPECT_NE(listing.kvs[1].lease, 0);
  // The same write as then is known, and another one is the next revision.
  Txn again;
  again.ops.push_back(PutOp("configmaps/default/a", "two"));
  again.write_id = "write-two";
  EXPECT_EQ(store_->SubmitAndWait(again).commit.rev, 2);
  again.write_id = "write-six";
  EXPECT_EQ(store_->SubmitAndWait(again).commit.rev, 6);
}

TEST_F(OlderStore, AFileOfALaterFormatIsRefusedAndKept) {
  Run(kFirstDump);
  Run(absl::StrCat("UPDATE meta SET value = 2, sum = ", SumOfMeta("format", 2),
                   " WHERE name = CAST('format' AS BLOB)"));
  const absl::Status refused = SqliteStore::Open(Options(directory_)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_TRUE(absl::StrContains(refused.message(), "written by a later version of this program"))
      << refused;
  // Once that one has put it back to the format of this one, it is as it was.
  Run(absl::StrCat("UPDATE meta SET value = 1, sum = ", SumOfMeta("format", 1),
                   " WHERE name = CAST('format' AS BLOB)"));
  Open();
  ASSERT_NE(store_, nullptr);
  EXPECT_EQ(store_->List("").value().kvs.size(), 2u);
}

}  // namespace
}  // namespace cluster::store
