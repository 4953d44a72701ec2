#include "node/session/log_reader.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "base/mutex.h"
#include "base/unique_handle.h"

namespace cluster::node {
namespace {

std::string Line(int second, const std::string& text, char tag = 'F',
                 const std::string& stream = "stdout") {
  return absl::StrCat("2026-11-23T22:15:", second < 10 ? "0" : "", second, ".000000001Z ", stream,
                      " ", std::string(1, tag), " ", text, "\n");
}

class LogReaderTest : public testing::Test {
 protected:
  LogReaderTest() {
    char path[] = "/tmp/cluster-logs-XXXXXX";
    directory_ = mkdtemp(path);
    query_.path = directory_ + "/0.log";
  }
  ~LogReaderTest() override { std::filesystem::remove_all(directory_); }

  void Append(const std::string& text) {
    UniqueFd fd = OpenAt(AT_FDCWD, query_.path, O_WRONLY | O_CREAT | O_APPEND).value();
    ASSERT_TRUE(WriteAll(fd.get(), text).ok());
  }
  // As the writer does when the file is full.
  void Rotate() {
    ++rotations_;
    std::filesystem::rename(query_.path, absl::StrCat(query_.path, ".", rotations_));
    Append("");
  }
  void RemoveOldest(int number) { std::filesystem::remove(absl::StrCat(query_.path, ".", number)); }
  std::string Read() {
    std::string out;
    LogSurroundings surroundings;
    surroundings.give = [&](absl::string_view data) {
      absl::StrAppend(&out, data);
      return true;
    };
    surroundings.ended = [] { return true; };
    const absl::Status status = ReadLog(query_, surroundings);
    return status.ok() ? out : status.ToString();
  }

  std::string directory_;
  LogQuery query_;
  int rotations_ = 0;
};

TEST_F(LogReaderTest, GivesTheTextOfEveryLine) {
  Append(Line(1, "one") + Line(2, "two", 'F', "stderr") + Line(3, ""));
  EXPECT_EQ(Read(), "one\ntwo\n\n");
}

TEST_F(LogReaderTest, AFileThatIsNotThereIsEmpty) { EXPECT_EQ(Read(), ""); }

TEST_F(LogReaderTest, Behaviour74_TailCountsLinesAndJoinsTheirParts) {
  Append(Line(1, "one") + Line(2, "tw", 'P') + Line(2, "o") + Line(3, "three"));
  query_.tail_lines = 1;
  EXPECT_EQ(Read(), "three\n");
  query_.tail_lines = 2;
  EXPECT_EQ(Read(), "two\nthree\n");
  query_.tail_lines = 3;
  EXPECT_EQ(Read(), "one\ntwo\nthree\n");
  query_.tail_lines = 100;
  EXPECT_EQ(Read(), "one\ntwo\nthree\n");
  query_.tail_lines = 0;
  EXPECT_EQ(Read(), "");
}

TEST_F(LogReaderTest, TailOfAnUnfinishedLineCountsIt) {
  Append(Line(1, "one") + Line(2, "prompt> ", 'P'));
  query_.tail_lines = 1;
  EXPECT_EQ(Read(), "prompt> ");
}

TEST_F(LogReaderTest, TailIsRightAcrossPiecesOfTheFile) {
  std::vector<std::string> lines;
  for (int i = 0; i < 5000; ++i) {
    lines.push_back(absl::StrCat(i, std::string(static_cast<size_t>(i % 97), 'x')));
    Append(Line(i % 60, lines.back()));
  }
  for (const int64_t tail : {1, 7, 999, 4999, 5000}) {
    std::string want;
    for (size_t i = lines.size() - static_cast<size_t>(tail); i < lines.size(); ++i) {
      absl::StrAppend(&want, lines[i], "\n");
    }
    query_.tail_lines = tail;
    EXPECT_EQ(Read(), want) << tail;
  }
}

TEST_F(LogReaderTest, Behaviour74_LimitBytesCutsAnywhere) {
  Append(Line(1, "hello") + Line(2, "world"));
  query_.format.limit_bytes = 1;
  EXPECT_EQ(Read(), "h");
  query_.format.limit_bytes = 8;
  EXPECT_EQ(Read(), "hello\nwo");
}

TEST_F(LogReaderTest, Behaviour74_TimestampsStandBeforeWholeLines) {
  Append(Line(1, "o", 'P') + Line(2, "ne") + Line(3, "two"));
  query_.format.timestamps = true;
  EXPECT_EQ(Read(), "2026-11-23T22:15:01.000000001Z one\n2026-11-23T22:15:03.000000001Z two\n");
}

TEST_F(LogReaderTest, Behaviour74_SinceLeavesOutWhatIsOlder) {
  Append(Line(1, "one") + Line(5, "five") + Line(9, "nine"));
  query_.format.since =
      absl::FromCivil(absl::CivilSecond(2026, 11, 23, 22, 15, 5), absl::UTCTimeZone());
  EXPECT_EQ(Read(), "five\nnine\n");
}

TEST_F(LogReaderTest, PartsOfTwoStreamsAreJoinedApart) {
  Append(Line(1, "out", 'P') + Line(1, "err", 'P', "stderr") + Line(2, "put") +
         Line(2, "or", 'F', "stderr"));
  EXPECT_EQ(Read(), "output\nerror\n");
}

TEST_F(LogReaderTest, AnEndlessLineFlowsInPieces) {
  const std::string part(16 << 10, 'x');
  std::string want;
  for (int i = 0; i < 100; ++i) {
    Append(Line(1, part, 'P'));
    want += part;
  }
  Append(Line(2, "end"));
  query_.format.timestamps = true;
  EXPECT_EQ(Read(), "2026-11-23T22:15:01.000000001Z " + want + "end\n");
}

TEST_F(LogReaderTest, LinesOfAnotherFormAreLeftOut) {
  Append("garbage\n" + Line(1, "one") + "2026-11-23T22:15:01Z stdout X what\n" + Line(2, "two"));
  EXPECT_EQ(Read(), "one\ntwo\n");
}

TEST_F(LogReaderTest, AReaderThatWantsNoMoreEndsTheReading) {
  for (int i = 0; i < 20000; ++i) Append(Line(1, "some text"));
  int calls = 0;
  LogSurroundings surroundings;
  surroundings.give = [&](absl::string_view) { return ++calls < 2; };
  surroundings.ended = [] { return true; };
  EXPECT_TRUE(ReadLog(query_, surroundings).ok());
  EXPECT_EQ(calls, 2);
}

TEST_F(LogReaderTest, ReadsAllFilesInTheOrderInWhichTheyWereWritten) {
  std::string want;
  for (int i = 1; i <= 12; ++i) {
    Append(Line(i, absl::StrCat("line ", i)));
    absl::StrAppend(&want, "line ", i, "\n");
    if (i < 12) Rotate();
  }
  EXPECT_EQ(Read(), want) << "by number, not by name";
  query_.format.limit_bytes = 9;
  EXPECT_EQ(Read(), "line 1\nli");
}

TEST_F(LogReaderTest, FilesOfOtherInstancesAndUnfinishedOnesAreNotRead) {
  Append(Line(1, "mine"));
  for (const char* name : {"/10.log", "/0.log.new", "/0.log.x", "/1.log.1", "/0.logs.1"}) {
    ASSERT_TRUE(WriteFileDurably(directory_ + name, Line(1, name)).ok());
  }
  EXPECT_EQ(Read(), "mine\n");
}

TEST_F(LogReaderTest, TailReachesIntoOlderFiles) {
  Append(Line(1, "one") + Line(2, "two"));
  Rotate();
  Append(Line(3, "th", 'P'));
  Rotate();
  Append(Line(3, "ree") + Line(4, "four"));
  Rotate();
  const std::string lines[] = {"one\n", "two\n", "three\n", "four\n"};
  std::string want;
  for (int tail = 0; tail <= 4; ++tail) {
    query_.tail_lines = tail;
    if (tail > 0) want = lines[4 - tail] + want;
    EXPECT_EQ(Read(), want) << tail;
  }
  query_.tail_lines = 9;
  EXPECT_EQ(Read(), want);
}

TEST_F(LogReaderTest, PartsOfALineAreJoinedAcrossFiles) {
  Append(Line(1, "o", 'P'));
  Rotate();
  Append(Line(2, "ne"));
  query_.format.timestamps = true;
  EXPECT_EQ(Read(), "2026-11-23T22:15:01.000000001Z one\n");
}

TEST_F(LogReaderTest, HalfARecordIsReadOnlyOnceItIsWhole) {
  Append(Line(1, "one"));
  Append(Line(2, "taken back").substr(0, 45));
  EXPECT_EQ(Read(), "one\n");
}

// A follower in a thread of its own, whose output can be waited for.
class Follower {
 public:
  explicit Follower(LogQuery query) {
    query.follow = true;
    surroundings_.give = [this](absl::string_view data) {
      MutexLock lock(&mutex_);
      absl::StrAppend(&out_, data);
      grown_.SignalAll();
      return true;
    };
    surroundings_.ended = [this] { return ended_.load(); };
    surroundings_.stop_fd = stop_.get();
    thread_ = std::thread([this, query] { status_ = ReadLog(query, surroundings_); });
  }
  ~Follower() { Stop(); }
  bool Await(size_t bytes) {
    MutexLock lock(&mutex_);
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (out_.size() < bytes && absl::Now() < deadline) grown_.WaitFor(&mutex_, absl::Seconds(1));
    return out_.size() >= bytes;
  }
  std::string End() {
    ended_ = true;
    thread_.join();
    return out_;
  }
  void Stop() {
    const uint64_t one = 1;
    EXPECT_EQ(::write(stop_.get(), &one, sizeof one), 8);
    if (thread_.joinable()) thread_.join();
  }
  absl::Status status() const { return status_; }

 private:
  UniqueFd stop_{::eventfd(0, EFD_CLOEXEC)};
  LogSurroundings surroundings_;
  std::atomic<bool> ended_ = false;
  Mutex mutex_;
  CondVar grown_;
  std::string out_;
  absl::Status status_;
  std::thread thread_;
};

TEST_F(LogReaderTest, FollowLosesAndDoublesNothingWhileTheWriterAppends) {
  Follower follower(query_);
  std::string want;
  for (int i = 0; i < 3000; ++i) {
    const std::string text = absl::StrCat("line ", i);
    // Cut where writers may be cut: in the middle of a line.
    const std::string line = Line(i % 60, text);
    Append(line.substr(0, 20));
    Append(line.substr(20));
    absl::StrAppend(&want, text, "\n");
  }
  EXPECT_TRUE(follower.Await(want.size()));
  EXPECT_EQ(follower.End(), want);
}

TEST_F(LogReaderTest, FollowLosesAndDoublesNothingAcrossRotation) {
  Follower follower(query_);
  std::string want;
  for (int i = 0; i < 3000; ++i) {
    const std::string text = absl::StrCat("line ", i);
    Append(Line(i % 60, text));
    absl::StrAppend(&want, text, "\n");
    if (i % 7 == 0) Rotate();
  }
  EXPECT_TRUE(follower.Await(want.size()));
  EXPECT_EQ(follower.End(), want);
}

TEST_F(LogReaderTest, FollowGoesOnWithTheOldestThatIsLeftWhenItWasOverrun) {
  Append(Line(1, "one"));
  Follower follower(query_);
  EXPECT_TRUE(follower.Await(4));
  Append(Line(2, "two"));
  EXPECT_TRUE(follower.Await(8));
  Rotate();
  Append(Line(3, "three"));
  EXPECT_TRUE(follower.Await(14));
  Rotate();
  RemoveOldest(1);
  RemoveOldest(2);
  Append(Line(4, "four"));
  EXPECT_TRUE(follower.Await(19));
  EXPECT_EQ(follower.End(), "one\ntwo\nthree\nfour\n");
}

TEST_F(LogReaderTest, FollowFromTheTailGoesOnInTheNextFile) {
  Append(Line(1, "one") + Line(2, "two"));
  Rotate();
  query_.tail_lines = 1;
  Follower follower(query_);
  EXPECT_TRUE(follower.Await(4));
  Append(Line(3, "three"));
  EXPECT_TRUE(follower.Await(10));
  EXPECT_EQ(follower.End(), "two\nthree\n");
}

TEST_F(LogReaderTest, FollowWaitsForAFileThatIsNotThereYet) {
  Follower follower(query_);
  Append(Line(1, "hello"));
  EXPECT_TRUE(follower.Await(6));
  EXPECT_EQ(follower.End(), "hello\n");
}

TEST_F(LogReaderTest, FollowEndsWithTheInstanceNotWithItsSuccessor) {
  Append(Line(1, "first life"));
  Follower follower(query_);
  EXPECT_TRUE(follower.Await(11));
  const std::string successor = directory_ + "/1.log";
  ASSERT_TRUE(WriteFileDurably(successor, Line(2, "second life")).ok());
  EXPECT_EQ(follower.End(), "first life\n");
}

TEST_F(LogReaderTest, WhatWasWrittenBeforeTheEndIsGiven) {
  Append(Line(1, "unfinished", 'P'));
  Follower follower(query_);
  EXPECT_EQ(follower.End(), "unfinished");
}

TEST_F(LogReaderTest, FollowEndsAtOnceWhenTheReceiverIsGone) {
  Append(Line(1, "x"));
  Follower follower(query_);
  EXPECT_TRUE(follower.Await(2));
  follower.Stop();
  EXPECT_TRUE(follower.status().ok());
}

}  // namespace
}  // namespace cluster::node
