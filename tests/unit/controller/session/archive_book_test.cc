#include "controller/session/archive_book.h"

#include <future>

#include "gtest/gtest.h"

#include "controller/store/memory_store.h"

namespace cluster::controller {
namespace {

class Archives : public testing::Test {
 protected:
  using Answer = absl::StatusOr<ArchiveBook::Loaded>;

  static v1::ImageArchive Archive(const std::string& id) {
    v1::ImageArchive archive;
    archive.set_archive(id);
    return archive;
  }
  static v1::ImageReport Report(const std::string& id, const std::string& name, int64_t load = 0) {
    v1::ImageReport report;
    report.set_archive(id);
    report.set_load(load);
    report.add_images()->add_names(name);
    return report;
  }
  // Runs on the strand and waits.
  void Do(std::function<void()> task) {
    std::promise<void> done;
    strand_.Post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }
  std::future<Answer> Offer(const std::string& id, absl::Duration timeout = absl::Seconds(10)) {
    auto promise = std::make_shared<std::promise<Answer>>();
    Do([&] {
      book_.Offer(Archive(id), timeout, [promise](Answer answer) { promise->set_value(answer); });
    });
    return promise->get_future();
  }
  void TearDown() override { strand_.Stop(); }

  std::unique_ptr<store::MemoryStore> store_ = store::MemoryStore::Make();
  Strand strand_{"test"};
  std::set<std::string> ready_ = {"node1", "node2"};
  int changes_ = 0;
  ArchiveBook book_{store_.get(), &strand_, [this] { return ready_; }, [this] { ++changes_; }};
};

TEST_F(Archives, ALoadWaitsForEveryReadyNode) {
  auto answer = Offer("sha256:1");
  Do([&] {
    EXPECT_EQ(book_.List().size(), 1u);
    book_.OnReport("node1", Report("sha256:1", "app:1"));
    EXPECT_TRUE(book_.Images().empty());
    book_.OnReport("node2", Report("sha256:1", "app:1"));
  });
  const Answer loaded = answer.get();
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->nodes, (std::vector<std::string>{"node1", "node2"}));
  Do([&] { EXPECT_EQ(book_.Images().size(), 1u); });
}

TEST_F(Archives, ANodeThatIsLostMeanwhileIsNotWaitedFor) {
  auto answer = Offer("sha256:1");
  Do([&] {
    book_.OnReport("node1", Report("sha256:1", "app:1"));
    ready_ = {"node1"};
    book_.Review();
  });
  EXPECT_TRUE(answer.get().ok());
}

TEST_F(Archives, OneRefusalForgetsTheArchive) {
  auto answer = Offer("sha256:1");
  Do([&] {
    book_.OnReport("node1", Report("sha256:1", "app:1"));
    v1::ImageReport refusal;
    refusal.set_archive("sha256:1");
    refusal.set_error("it is no image");
    book_.OnReport("node2", refusal);
    EXPECT_TRUE(book_.List().empty());
  });
  EXPECT_EQ(answer.get().status(), absl::InvalidArgumentError("node2: it is no image"));
}

TEST_F(Archives, WithoutAReadyNodeItFailsAtOnce) {
  ready_.clear();
  EXPECT_TRUE(absl::IsUnavailable(Offer("sha256:1").get().status()));
}

TEST_F(Archives, ItDoesNotWaitForEver) {
  EXPECT_TRUE(absl::IsDeadlineExceeded(Offer("sha256:1", absl::Milliseconds(10)).get().status()));
}

TEST_F(Archives, TheSameTwiceIsLoadedOnceAndAnsweredTwice) {
  auto first = Offer("sha256:1");
  auto second = Offer("sha256:1");
  Do([&] {
    book_.OnReport("node1", Report("sha256:1", "app:1"));
    book_.OnReport("node2", Report("sha256:1", "app:1"));
  });
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(second.get().ok());
}

TEST_F(Archives, WhatANodeHadInAnEarlierSessionDoesNotCount) {
  Do([&] {
    book_.OnReport("node1", Report("sha256:1", "app:1"));
    book_.OnReport("node2", Report("sha256:1", "app:1"));
    book_.Begin("node2");
  });
  auto answer = Offer("sha256:1");
  Do([&] {
    EXPECT_TRUE(book_.Images().empty());
    book_.OnReport("node2", Report("sha256:1", "app:1"));
  });
  EXPECT_TRUE(answer.get().ok());
}

// v1, v2 under the same name, and v1 again: the name leads to v1.
TEST_F(Archives, AnArchiveThatIsLoadedAgainIsUnpackedAnew) {
  const auto load = [&](const std::string& id, int64_t number) {
    auto answer = Offer(id);
    Do([&] {
      EXPECT_EQ(book_.List().back().archive(), id);
      EXPECT_EQ(book_.List().back().load(), number);
      // What they unpacked before does not count.
      book_.OnReport("node1", Report(id, "app:1", number));
      book_.OnReport("node2", Report(id, "app:1", number - 1));
      book_.OnReport("node2", Report(id, "app:1", number));
    });
    EXPECT_TRUE(answer.get().ok());
    Do([&] { EXPECT_EQ(book_.List().back().archive(), id); });
  };
  load("sha256:1", 0);
  load("sha256:2", 0);
  load("sha256:1", 1);
  Do([&] {
    EXPECT_EQ(book_.List().size(), 2u);
    EXPECT_EQ(book_.Images().size(), 1u);
  });
}

TEST_F(Archives, ANameBelongsToTheArchiveThatWasLoadedLast) {
  for (const char* id : {"sha256:1", "sha256:2"}) {
    auto answer = Offer(id);
    Do([&] {
      book_.OnReport("node1", Report(id, "app:1"));
      book_.OnReport("node2", Report(id, "app:1"));
    });
    ASSERT_TRUE(answer.get().ok());
  }
  Do([&] {
    EXPECT_EQ(book_.Images().size(), 1u);
    EXPECT_EQ(book_.List().back().archive(), "sha256:2");
  });
  // Also for the controller that comes after.
  ArchiveBook next(
      store_.get(), &strand_, [this] { return ready_; }, [] {});
  ASSERT_TRUE(next.Load().ok());
  EXPECT_EQ(next.List().size(), 2u);
  EXPECT_EQ(next.List().back().archive(), "sha256:2");
}

}  // namespace
}  // namespace cluster::controller
