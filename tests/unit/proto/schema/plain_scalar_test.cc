#include "proto/schema/plain_scalar.h"

#include <cmath>

#include "gtest/gtest.h"

namespace cluster {
namespace {

using Type = PlainScalar::Type;

TEST(PlainScalar, KnowsTheWordsOfYaml11) {
  for (const char* text : {"", "~", "null", "Null", "NULL"}) {
    EXPECT_EQ(ResolvePlain(text).type, Type::kNull) << text;
  }
  for (const char* text : {"true", "True", "TRUE", "yes", "Yes", "on", "ON", "y", "Y"}) {
    EXPECT_EQ(ResolvePlain(text).type, Type::kBool) << text;
    EXPECT_TRUE(ResolvePlain(text).boolean) << text;
  }
  for (const char* text : {"false", "no", "NO", "No", "off", "n", "N"}) {
    EXPECT_EQ(ResolvePlain(text).type, Type::kBool) << text;
    EXPECT_FALSE(ResolvePlain(text).boolean) << text;
  }
}

TEST(PlainScalar, KnowsNumbersOfEveryBase) {
  const std::pair<const char*, int64_t> ints[] = {{"0", 0},
                                                  {"-5", -5},
                                                  {"+12", 12},
                                                  {"0755", 493},
                                                  {"0o17", 15},
                                                  {"0x1F", 31},
                                                  {"-0x10", -16},
                                                  {"0b101", 5},
                                                  {"1_000", 1000},
                                                  {"089", 89},
                                                  {"9223372036854775807", 9223372036854775807}};
  for (const auto& [text, value] : ints) {
    EXPECT_EQ(ResolvePlain(text).type, Type::kInt) << text;
    EXPECT_EQ(ResolvePlain(text).integer, value) << text;
  }
  const std::pair<const char*, double> floats[] = {
      {"1.5", 1.5},       {".5", 0.5}, {"1e3", 1000},
      {"-1.5E-1", -0.15}, {"5.", 5},   {"9223372036854775808", 9223372036854775808.0}};
  for (const auto& [text, value] : floats) {
    EXPECT_EQ(ResolvePlain(text).type, Type::kFloat) << text;
    EXPECT_DOUBLE_EQ(ResolvePlain(text).number, value) << text;
  }
  EXPECT_TRUE(std::isinf(ResolvePlain("-.inf").number));
  EXPECT_TRUE(std::isnan(ResolvePlain(".nan").number));
}

TEST(PlainScalar, LeavesTextAlone) {
  for (const char* text :
       {"web", "nginx:1.25", "25%", "1.2.3", "1.2.3.4", "0x", "0xg", "-", "+", ".", "1e", "12:30",
        "2026-01-31", "1Mi", "500m", "_1", "e3", "tRUE", "nO"}) {
    EXPECT_EQ(ResolvePlain(text).type, Type::kString) << text;
  }
}

TEST(PlainScalar, TellsWhatAKeyBecomes) {
  EXPECT_EQ(PlainKeyText("on"), "true");
  EXPECT_EQ(PlainKeyText("0755"), "493");
  EXPECT_EQ(PlainKeyText("8080"), "8080");
  EXPECT_EQ(PlainKeyText("app"), "app");
}

}  // namespace
}  // namespace cluster
