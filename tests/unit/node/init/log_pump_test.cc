#include "node/init/log_pump.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "node/init/text.h"

namespace cluster::init {
namespace {

struct LogRecord {
  std::string stream;
  char flag;
  std::string text;
};

class LogPumpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    stream_.fd = ends[0];
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    write_end_ = ends[1];
    file_.fd = memfd_create("log", MFD_CLOEXEC);
    fcntl(file_.fd, F_SETFL, O_APPEND);
  }
  void TearDown() override {
    free(stream_.buffer);
    for (int fd : {stream_.fd, write_end_, file_.fd}) {
      if (fd >= 0) close(fd);
    }
  }
  void Write(const std::string& text) { ASSERT_TRUE(WriteAll(write_end_, text).ok()); }
  void End() {
    close(write_end_);
    write_end_ = -1;
    FinishLog(&stream_, &file_);
  }
  std::string Raw() {
    std::string text(static_cast<size_t>(lseek(file_.fd, 0, SEEK_END)), 0);
    EXPECT_EQ(pread(file_.fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    return text;
  }
  std::vector<LogRecord> Records() {
    std::vector<LogRecord> records;
    const std::string text = Raw();
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find('\n', at);
      EXPECT_NE(end, std::string::npos) << "a record without its newline";
      const std::string line = text.substr(at, end - at);
      EXPECT_EQ(line[29], 'Z');
      records.push_back({line.substr(31, 6), line[38], line.substr(40)});
      at = end + 1;
    }
    return records;
  }

  LogStream stream_;
  LogFile file_;
  int write_end_ = -1;
};

TEST_F(LogPumpTest, WritesOneRecordPerLine) {
  stream_.name = "stderr";
  Write("first\n\nthird\n");
  End();
  const auto records = Records();
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].stream, "stderr");
  EXPECT_EQ(records[0].flag, 'F');
  EXPECT_EQ(records[0].text, "first");
  EXPECT_EQ(records[1].text, "");
  EXPECT_EQ(records[2].text, "third");
}

TEST_F(LogPumpTest, KeepsALineTogetherThatComesInPieces) {
  Write("hel");
  EXPECT_EQ(PumpLog(&stream_, &file_), PumpResult::kDrained);
  EXPECT_EQ(Raw(), "");
  Write("lo\n");
  EXPECT_EQ(PumpLog(&stream_, &file_), PumpResult::kDrained);
  ASSERT_EQ(Records().size(), 1u);
  EXPECT_EQ(Records()[0].text, "hello");
}

TEST_F(LogPumpTest, MarksThePartsOfLongLinesSoThatJoiningGivesThemBack) {
  const std::string line = std::string(2 * kMaxLogLine + 100, 'x');
  Write(line + "\nnext\n");
  End();
  const auto records = Records();
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[0].flag, 'P');
  EXPECT_EQ(records[1].flag, 'P');
  EXPECT_EQ(records[2].flag, 'F');
  EXPECT_EQ(records[0].text + records[1].text + records[2].text, line);
  EXPECT_EQ(records[3].text, "next");
}

TEST_F(LogPumpTest, WritesTheRestThatHasNoNewline) {
  Write("a\nrest");
  End();
  const auto records = Records();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].flag, 'P');
  EXPECT_EQ(records[1].text, "rest");
}

TEST_F(LogPumpTest, LosesNothingOfAFlood) {
  std::string sent;
  for (int i = 0; i < 20000; ++i) sent += "line " + std::to_string(i) + "\n\n";
  std::thread writer([this, &sent] {
    EXPECT_TRUE(WriteAll(write_end_, sent).ok());
    close(write_end_);
  });
  while (PumpLog(&stream_, &file_) != PumpResult::kEnded) {
  }
  writer.join();
  write_end_ = -1;
  std::string received;
  for (const LogRecord& record : Records()) received += record.text + "\n";
  EXPECT_EQ(received, sent);
}

// RLIMIT_FSIZE stands in for a full disk: writes fail, short ones first.
TEST_F(LogPumpTest, GoesOnWhenTheDiskIsFullAndSaysWhatIsMissing) {
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  Write("kept\n");
  PumpLog(&stream_, &file_);
  const rlimit full{60, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &full);
  Write("this one does not fit any more\n");
  EXPECT_EQ(PumpLog(&stream_, &file_), PumpResult::kDrained);
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(Records().size(), 1u) << "half a record was left";
  Write("after\n");
  End();
  const auto records = Records();
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[1].text,
            "cluster-init: 71 bytes of log are missing here: the log could not be written");
  EXPECT_EQ(records[2].text, "after");
}

// Where files are renamed, a directory is needed.
class LogRotationTest : public LogPumpTest {
 protected:
  void SetUp() override {
    LogPumpTest::SetUp();
    char path[] = "/tmp/cluster-pump-XXXXXX";
    directory_ = mkdtemp(path);
    close(file_.fd);
    file_.dir = open(directory_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    file_.fd = openat(file_.dir, "0.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    CopyText(file_.name, sizeof file_.name, "0.log");
    file_.max_bytes = 1000;
    file_.max_files = 3;
  }
  void TearDown() override {
    close(file_.dir);
    LogPumpTest::TearDown();
    std::filesystem::remove_all(directory_);
  }
  void Pump(const std::string& text) {
    Write(text);
    while (PumpLog(&stream_, &file_) == PumpResult::kMore) {
    }
  }
  std::string File(const std::string& name) {
    return cluster::ReadFile(directory_ + "/" + name).value_or("absent");
  }
  std::set<std::string> Names() {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      names.insert(entry.path().filename());
    }
    return names;
  }

  std::string directory_;
};

TEST_F(LogRotationTest, RenamesAFullFileAndKeepsTheNewestOnes) {
  const std::string text(400, 'x');
  std::set<std::string> names;
  for (int i = 0; i < 12; ++i) {
    Pump(std::to_string(i) + text + "\n");
    names.merge(Names());
  }
  EXPECT_EQ(Names(), (std::set<std::string>{"0.log", "0.log.4", "0.log.5"}));
  EXPECT_THAT(File("0.log.4"), ::testing::HasSubstr(" stdout F 6x"));
  EXPECT_THAT(File("0.log.5"), ::testing::HasSubstr(" stdout F 8x"));
  EXPECT_THAT(File("0.log"), ::testing::HasSubstr(" stdout F 11x"));
  EXPECT_EQ(names.size(), 6u) << "each number is used once";
  EXPECT_EQ(file_.renamed, 5u);
}

TEST_F(LogRotationTest, NoFileIsLargerThanItsLimitAndNoRecordIsDivided) {
  file_.max_files = 1000;
  std::string sent;
  for (int i = 0; i < 500; ++i) {
    const std::string line = "line " + std::to_string(i) + std::string(i % 90, '.') + "\n";
    Pump(line);
    sent += line;
  }
  std::string received;
  for (uint32_t i = 1; i <= file_.renamed + 1; ++i) {
    const std::string text = File(i <= file_.renamed ? "0.log." + std::to_string(i) : "0.log");
    EXPECT_LE(text.size(), 1000u);
    ASSERT_EQ(text.back(), '\n');
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) received += line.substr(40) + "\n";
  }
  EXPECT_EQ(received, sent);
}

TEST_F(LogRotationTest, AFileGrowsOnWhereNoNewOneCanBeMade) {
  Pump(std::string(900, 'a') + "\n");
  std::filesystem::create_directory(directory_ + "/0.log.new");
  Pump(std::string(900, 'b') + "\n");
  EXPECT_EQ(File("0.log").size(), 2u * (40 + 900 + 1));
  std::filesystem::remove(directory_ + "/0.log.new");
  Pump("c\n");
  EXPECT_EQ(File("0.log.1").size(), 2u * (40 + 900 + 1));
  EXPECT_THAT(File("0.log"), ::testing::HasSubstr(" stdout F c\n"));
}

TEST_F(LogRotationTest, AnEmptyFileIsNotRenamedForARecordOverTheLimit) {
  Pump(std::string(5000, 'a') + "\n");
  EXPECT_EQ(Names(), std::set<std::string>{"0.log"});
  Pump("b\n");
  EXPECT_EQ(Names(), (std::set<std::string>{"0.log", "0.log.1"}));
}

}  // namespace
}  // namespace cluster::init
