// A SQLite store in a directory of its own, and the words of its tests.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "tests/contract/controller/store/store_under_test.h"

namespace cluster::store {

class SqliteFixture : public testing::Test {
 protected:
  SqliteFixture() {
    char path[] = "/tmp/cluster-sqlite-XXXXXX";
    directory_ = mkdtemp(path);
  }
  ~SqliteFixture() override {
    store_.reset();
    std::filesystem::remove_all(directory_);
  }

  SqliteOptions Options(const std::string& directory) {
    SqliteOptions options;
    options.path = directory + "/store.db";
    options.clock = &clock_;
    options.ballast_bytes = 0;
    return options;
  }
  std::string Path() const { return directory_ + "/store.db"; }
  void Open() {
    store_.reset();
    auto opened = SqliteStore::Open(Options(directory_));
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  TestClock clock_;
  std::string directory_;
  std::unique_ptr<SqliteStore> store_;
};

}  // namespace cluster::store
