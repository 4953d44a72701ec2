#include "cli/output/table.h"

#include <sstream>

#include "gtest/gtest.h"

namespace cluster::cli {
namespace {

TEST(TableTest, PadsAllColumnsButTheLast) {
  std::ostringstream out;
  Table(out).Print({{"NAME", "READY", "AGE"}, {"web-1-with-a-name", "1/1", "3s"}});
  EXPECT_EQ(out.str(),
            "NAME                READY   AGE\n"
            "web-1-with-a-name   1/1     3s\n");
}

TEST(TableTest, KeepsTheWidthsOfEarlierRows) {
  std::ostringstream out;
  Table table(out);
  table.Print({{"NAME", "AGE"}, {"long-name-here", "1s"}});
  table.Print({{"x", "2s"}});
  EXPECT_EQ(out.str(),
            "NAME             AGE\n"
            "long-name-here   1s\n"
            "x                2s\n");
}

TEST(TableTest, CountsCharactersNotBytes) {
  std::ostringstream out;
  Table(out).Print({{"A", "B"}, {"größe-ok", "1"}, {"groesse", "2"}});
  EXPECT_EQ(out.str(),
            "A          B\n"
            "größe-ok   1\n"
            "groesse    2\n");
}

TEST(TableTest, LetsNoCellBreakTheTableOrDriveTheTerminal) {
  EXPECT_EQ(OneLine("a\nb\tc\x1b[31m"), "a b c\\x1b[31m");
  std::ostringstream out;
  Table(out).Print({{"x\ny", "z"}});
  EXPECT_EQ(out.str(), "x y   z\n");
}

}  // namespace
}  // namespace cluster::cli
