#include "node/init/text.h"

#include <string.h>
#include <time.h>

#include "node/init/wire.h"

namespace cluster::init {

Text& Text::Add(const char* text, size_t length) {
  const size_t room = capacity_ - 1 - size_;
  if (length > room) length = room;
  memcpy(buffer_ + size_, text, length);
  size_ += length;
  buffer_[size_] = 0;
  return *this;
}

Text& Text::Add(const char* text) { return Add(text, strlen(text)); }

Text& Text::AddNumber(int64_t value) {
  uint64_t magnitude = static_cast<uint64_t>(value);
  if (value < 0) {
    Add("-");
    magnitude = 0 - magnitude;
  }
  return AddPadded(magnitude, 1);
}

Text& Text::AddPadded(uint64_t value, int digits) {
  char reversed[24];
  int count = 0;
  do {
    reversed[count++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  for (int missing = digits - count; missing > 0; --missing) Add("0");
  while (count > 0) Add(&reversed[--count], 1);
  return *this;
}

Text& Text::AddHex(const unsigned char* bytes, size_t count) {
  static const char kDigits[] = "0123456789abcdef";
  for (size_t i = 0; i < count; ++i)
    Add(&kDigits[bytes[i] >> 4], 1).Add(&kDigits[bytes[i] & 15], 1);
  return *this;
}

// Days to civil date after Howard Hinnant's public algorithm: exact for the whole range, no tables,
// and unlike gmtime_r(3) without the C library's time zone code.
void FormatTimestamp(int64_t unix_nanoseconds, char out[kTimestampSize + 1]) {
  const uint64_t total = static_cast<uint64_t>(unix_nanoseconds);
  const uint64_t seconds = total / 1000000000u;
  const uint64_t day_second = seconds % 86400;
  const uint64_t shifted = seconds / 86400 + 719468;
  const uint64_t era = shifted / 146097;
  const uint64_t day_of_era = shifted % 146097;
  const uint64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const uint64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const uint64_t month_index = (5 * day_of_year + 2) / 153;
  const uint64_t day = day_of_year - (153 * month_index + 2) / 5 + 1;
  const uint64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
  const uint64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  Text text(out, kTimestampSize + 1);
  text.AddPadded(year, 4).Add("-").AddPadded(month, 2).Add("-").AddPadded(day, 2).Add("T");
  text.AddPadded(day_second / 3600, 2).Add(":").AddPadded(day_second / 60 % 60, 2).Add(":");
  text.AddPadded(day_second % 60, 2).Add(".").AddPadded(total % 1000000000u, 9).Add("Z");
}

void CopyText(char* to, size_t size, const char* from) {
  size_t length = strlen(from);
  if (length > size - 1) length = size - 1;
  memcpy(to, from, length);
  to[length] = 0;
}

bool IsSafeName(const char* name) {
  const size_t length = strlen(name);
  if (length == 0 || length > kMaxName || name[0] == '.' || name[0] == '-') return false;
  for (size_t i = 0; i < length; ++i) {
    const char c = name[i];
    const bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '+' || c == '.' || c == '-';
    if (!safe) return false;
  }
  return true;
}

int64_t RealtimeNanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

}  // namespace cluster::init
