#include "proto/schema/scalars.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

using testing::HasSubstr;

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

struct QuantityCase {
  const char* text;
  int64_t value;
  int64_t milli;
  const char* canonical;
};

class QuantityTest : public testing::TestWithParam<QuantityCase> {};

TEST_P(QuantityTest, HasValueAndCanonicalForm) {
  const QuantityCase& c = GetParam();
  EXPECT_EQ(QuantityValue(c.text).value(), c.value) << c.text;
  EXPECT_EQ(QuantityMilli(c.text).value(), c.milli) << c.text;
  EXPECT_EQ(CanonicalQuantity(c.text).value(), c.canonical) << c.text;
}

INSTANTIATE_TEST_SUITE_P(
    Table, QuantityTest,
    testing::Values(
        QuantityCase{"0", 0, 0, "0"}, QuantityCase{"-0", 0, 0, "0"}, QuantityCase{"0Ki", 0, 0, "0"},
        QuantityCase{"1", 1, 1000, "1"}, QuantityCase{"+1", 1, 1000, "1"},
        QuantityCase{"1000m", 1, 1000, "1"}, QuantityCase{"500m", 1, 500, "500m"},
        QuantityCase{"0.5", 1, 500, "500m"}, QuantityCase{".5", 1, 500, "500m"},
        QuantityCase{"5.", 5, 5000, "5"}, QuantityCase{"-0.5", -1, -500, "-500m"},
        QuantityCase{"1500m", 2, 1500, "1500m"}, QuantityCase{"2000m", 2, 2000, "2"},
        QuantityCase{"0.0001", 1, 1, "100u"}, QuantityCase{"1n", 1, 1, "1n"},
        QuantityCase{"1u", 1, 1, "1u"}, QuantityCase{"0.1n", 1, 1, "1n"},
        QuantityCase{"1e3", 1000, 1'000'000, "1k"}, QuantityCase{"1E3", 1000, 1'000'000, "1k"},
        QuantityCase{"12e-1", 2, 1200, "1200m"}, QuantityCase{"1k", 1000, 1'000'000, "1k"},
        QuantityCase{"1000", 1000, 1'000'000, "1k"}, QuantityCase{"1024", 1024, 1'024'000, "1024"},
        QuantityCase{"1000k", 1'000'000, 1'000'000'000, "1M"},
        QuantityCase{"1Ki", 1024, 1'024'000, "1Ki"},
        QuantityCase{"1024Ki", 1 << 20, 1'048'576'000, "1Mi"},
        QuantityCase{"64Mi", 64 << 20, 67'108'864'000, "64Mi"},
        QuantityCase{"1.5Gi", 1610612736, 1'610'612'736'000, "1536Mi"},
        QuantityCase{"0.5Ki", 512, 512'000, "512"}, QuantityCase{"0.1Ki", 103, 102'400, "102400m"},
        QuantityCase{"256M", 256'000'000, 256'000'000'000, "256M"},
        QuantityCase{"000001", 1, 1000, "1"}, QuantityCase{"1.0000", 1, 1000, "1"}));

TEST(Quantity, EndsAtTheLargestInt64) {
  EXPECT_EQ(QuantityValue("9223372036854775807").value(), kMost);
  EXPECT_EQ(CanonicalQuantity("9223372036854775807").value(), "9223372036854775807");
  EXPECT_EQ(QuantityValue("-9223372036854775807").value(), -kMost);
  EXPECT_EQ(QuantityValue("7Ei").value(), int64_t{7} << 60);
  EXPECT_EQ(CanonicalQuantity("9.2E").value(), "9200P");
  for (const char* text : {"9223372036854775808", "8Ei", "10E", "1e30", "1e99999999999999",
                           "99999999999999999999999999999999999999999999999999"}) {
    EXPECT_THAT(QuantityValue(text).status().message(), HasSubstr("too large")) << text;
    EXPECT_FALSE(CanonicalQuantity(text).ok()) << text;
  }
}

TEST(Quantity, RefusesThousandthsBeyondInt64) {
  EXPECT_TRUE(QuantityValue("1E").ok());
  EXPECT_EQ(QuantityMilli("9.2P").value(), 9'200'000'000'000'000'000);
  EXPECT_FALSE(QuantityMilli("9.3P").ok());
}

TEST(Quantity, TinyExponentsRoundUpToTheSmallestUnit) {
  EXPECT_EQ(CanonicalQuantity("1e-30").value(), "1n");
  EXPECT_EQ(CanonicalQuantity("0e-30").value(), "0");
  EXPECT_EQ(QuantityValue("1e-99999999999").value(), 1);
}

TEST(Quantity, RefusesWhatIsNone) {
  for (const char* text :
       {"",   " ",   "1 ",   " 1",    "m",   "1mm", "1KI", "1K",   "1ki", "1.1.1", "--1",
        "1e", "1e+", "0x10", "1_000", "1,5", "Inf", "NaN", "1Mi ", "½",   "1e1.5", "."}) {
    EXPECT_TRUE(absl::IsInvalidArgument(QuantityValue(text).status())) << text;
    EXPECT_THAT(QuantityValue(text).status().message(), HasSubstr("is not a quantity")) << text;
  }
}

TEST(Quantity, CanonicalFormIsItsOwn) {
  for (const char* text :
       {"123456789n", "102400m", "1536Mi", "7Ei", "999", "1001", "-5Gi", "12e7"}) {
    const std::string once = CanonicalQuantity(text).value();
    EXPECT_EQ(CanonicalQuantity(once).value(), once);
    EXPECT_EQ(QuantityValue(once).value(), QuantityValue(text).value());
  }
}

TEST(Quantity, IsFormattedFromNumbers) {
  EXPECT_EQ(FormatMilli(500), "500m");
  EXPECT_EQ(FormatMilli(4000), "4");
  EXPECT_EQ(FormatBytes(64 << 20), "64Mi");
  EXPECT_EQ(FormatBytes(1000), "1k");
  EXPECT_EQ(FormatBytes(16'384'000), "16000Ki");
  EXPECT_EQ(FormatCount(110), "110");
  EXPECT_EQ(FormatBytes(0), "0");
  EXPECT_EQ(QuantityValue(FormatBytes(kMost)).value(), kMost);
  EXPECT_EQ(FormatMilli(std::numeric_limits<int64_t>::min()), "-9223372036854775808m");
}

TEST(IntOrString, ScalesPercentages) {
  EXPECT_EQ(ScaleIntOrString("25%", 10, Rounding::kUp).value(), 3);
  EXPECT_EQ(ScaleIntOrString("25%", 10, Rounding::kDown).value(), 2);
  EXPECT_EQ(ScaleIntOrString("25%", 4, Rounding::kUp).value(), 1);
  EXPECT_EQ(ScaleIntOrString("0%", 4, Rounding::kUp).value(), 0);
  EXPECT_EQ(ScaleIntOrString("150%", 2, Rounding::kDown).value(), 3);
  EXPECT_EQ(ScaleIntOrString("3", 100, Rounding::kUp).value(), 3);
}

TEST(IntOrString, RefusesWordsNegativesAndOverflow) {
  for (const char* text : {"", "%", "http", "-1", "-1%", "1.5", "25 %", "2147483648", "+3"}) {
    EXPECT_FALSE(ScaleIntOrString(text, 10, Rounding::kUp).ok()) << text;
  }
  EXPECT_FALSE(ScaleIntOrString("2147483647%", 2147483647, Rounding::kUp).ok());
}

TEST(IntOrString, BareIntsAreInShortestForm) {
  for (const char* text : {"0", "80", "-1", "2147483647"}) EXPECT_TRUE(IsBareInt(text)) << text;
  for (const char* text : {"", "080", "+1", "1.0", "25%", "2147483648", " 1", "http"}) {
    EXPECT_FALSE(IsBareInt(text)) << text;
  }
}

TEST(GoDuration, ReadsWhatGoReads) {
  EXPECT_EQ(ParseGoDuration("1h30m").value(), absl::Minutes(90));
  EXPECT_EQ(ParseGoDuration("1.5s").value(), absl::Milliseconds(1500));
  EXPECT_EQ(ParseGoDuration("-250ms").value(), -absl::Milliseconds(250));
  EXPECT_EQ(ParseGoDuration("3\u00b5s").value(), absl::Microseconds(3));
  EXPECT_EQ(ParseGoDuration("3us7ns").value(), absl::Nanoseconds(3007));
  EXPECT_EQ(ParseGoDuration("0").value(), absl::ZeroDuration());
  for (const char* text : {"", "5", "inf", "1d", "1h ", "h", "1 h", "9999999h"}) {
    EXPECT_FALSE(ParseGoDuration(text).ok()) << text;
  }
}

TEST(Timestamp, IsReadInAnyZoneAndPrintedInUtc) {
  EXPECT_EQ(FormatTimestamp(ParseTimestamp("2026-11-23T22:15:00+02:00").value()),
            "2026-11-23T20:15:00Z");
  EXPECT_EQ(FormatTimestamp(ParseTimestamp("2026-11-23T22:15:00.25Z").value()),
            "2026-11-23T22:15:00.25Z");
  EXPECT_EQ(FormatTimestamp(ParseTimestamp("0001-01-01T00:00:00Z").value()),
            "0001-01-01T00:00:00Z");
  EXPECT_EQ(ParseTimestamp("1969-12-31T23:59:59.5Z").value().nanos(), 500'000'000);
}

TEST(Timestamp, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "2026-11-23", "2026-11-23 22:15:00Z", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
        "2026-11-23T22:15:00", "infinite-future-xxxxxxxx", "12026-11-23T22:15:00Z",
        "2026-11-23T25:15:00Z", " 2026-11-23T22:15:00Z"}) {
    EXPECT_FALSE(ParseTimestamp(text).ok()) << text;
  }
}

TEST(Base64, RoundTripsAndRefusesOtherText) {
  EXPECT_EQ(DecodeBase64("aGVs\nbG8=").value(), "hello");
  EXPECT_EQ(DecodeBase64("").value(), "");
  const std::string bytes("\x00\xff\x10", 3);
  EXPECT_EQ(DecodeBase64(EncodeBase64(bytes)).value(), bytes);
  for (const char* text : {"a", "aGVsbG8", "aGVs bG8=", "a-_=", "====", "secret!"}) {
    EXPECT_FALSE(DecodeBase64(text).ok()) << text;
  }
}

}  // namespace
}  // namespace cluster
