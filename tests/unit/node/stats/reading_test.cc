#include "node/stats/reading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cluster::node {
namespace {

TEST(ReadFieldTest, WantsTheWholeKey) {
  EXPECT_EQ(ReadField("oom_kill_disable 1\nunder_oom 0\noom_kill 3\n", "oom_kill"), 3);
  EXPECT_EQ(ReadField("anon 7\nanon_thp 9", "anon"), 7);
  EXPECT_EQ(ReadField("anon_thp 9\n", "anon"), 0);
  EXPECT_EQ(ReadField("", "anon"), 0);
}

TEST(ReadStallTest, TakesTheShareOfTheLastTenSeconds) {
  const Stall stall = ReadStall(
      "some avg10=12.34 avg60=1.00 avg300=0.10 total=99\n"
      "full avg10=0.50 avg60=0.00 avg300=0.00 total=7\n");
  EXPECT_DOUBLE_EQ(stall.some, 12.34);
  EXPECT_DOUBLE_EQ(stall.full, 0.5);
  EXPECT_DOUBLE_EQ(ReadStall("").some, 0);
}

TEST(GroupReadingTest, V2Texts) {
  GroupReading reading;
  ReadV2Cpu(
      "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 10\nnr_throttled 4\n"
      "throttled_usec 250\nnr_bursts 1\nburst_usec 2\n",
      &reading);
  EXPECT_EQ(reading.cpu_nanoseconds, 1'500'000);
  EXPECT_EQ(reading.cpu_periods, 10);
  EXPECT_EQ(reading.throttled_periods, 4);
  EXPECT_EQ(reading.throttled_nanoseconds, 250'000);
  reading.memory_bytes = 5000;
  ReadV2Memory("anon 1000\nfile 4000\ninactive_anon 1\ninactive_file 3000\nactive_file 1000\n",
               &reading);
  EXPECT_EQ(reading.rss_bytes, 1000);
  EXPECT_EQ(reading.working_set_bytes(), 2000);
  ReadV2Io(
      "8:0 rbytes=100 wbytes=200 rios=3 wios=4 dbytes=0 dios=0\n"
      "253:1 rbytes=1 wbytes=2 rios=5 wios=6 dbytes=0 dios=0\n8:16 \n",
      &reading);
  EXPECT_EQ(reading.read_bytes, 101);
  EXPECT_EQ(reading.written_bytes, 202);
  EXPECT_EQ(reading.reads, 8);
  EXPECT_EQ(reading.writes, 10);
}

TEST(GroupReadingTest, V1Texts) {
  GroupReading reading;
  ReadV1Cpu("nr_periods 10\nnr_throttled 4\nthrottled_time 250000\nnr_bursts 0\n", &reading);
  EXPECT_EQ(reading.throttled_nanoseconds, 250'000);
  reading.memory_bytes = 5000;
  ReadV1Memory("rss 1\ninactive_file 2\ntotal_rss 1000\ntotal_inactive_file 3000\n", &reading);
  EXPECT_EQ(reading.rss_bytes, 1000);
  EXPECT_EQ(reading.working_set_bytes(), 2000);
  ReadV1IoBytes("8:0 Read 100\n8:0 Write 200\n8:0 Sync 0\n8:0 Total 300\nTotal 300\n", &reading);
  ReadV1IoCount("8:0 Read 3\n8:0 Write 4\n8:16 Read 1\nTotal 8\n", &reading);
  EXPECT_EQ(reading.read_bytes, 100);
  EXPECT_EQ(reading.written_bytes, 200);
  EXPECT_EQ(reading.reads, 4);
  EXPECT_EQ(reading.writes, 4);
}

TEST(GroupReadingTest, WorkingSetIsNeverNegative) {
  GroupReading reading;
  reading.memory_bytes = 10;
  reading.inactive_file_bytes = 11;
  EXPECT_EQ(reading.working_set_bytes(), 0);
}

TEST(MachineTest, CpuLeavesIdleAndStolenTimeOut) {
  EXPECT_EQ(ReadMachineCpu("cpu  100 20 30 4000 500 6 7 80 9 0\ncpu0 1 2 3\n", 100),
            (100 + 20 + 30 + 6 + 7) * 10'000'000LL);
  EXPECT_EQ(ReadMachineCpu("cpu0 1 2 3\n", 100), 0);
}

TEST(MachineTest, MemoryAndTasks) {
  const char* text = "MemTotal:       16384 kB\nMemFree:         1024 kB\nMemAvailable: 2048 kB\n";
  EXPECT_EQ(ReadMemoryInfo(text, "MemTotal"), 16 << 20);
  EXPECT_EQ(ReadMemoryInfo(text, "MemAvailable"), 2 << 20);
  EXPECT_EQ(ReadMemoryInfo(text, "Mem"), 0);
  EXPECT_EQ(ReadTasks("0.20 0.18 0.12 1/80 11206\n"), 80);
}

}  // namespace
}  // namespace cluster::node
