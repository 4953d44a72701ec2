// Formatting without stdio, and the few text routines cluster-init needs. No allocation.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace cluster::init {

// A bounded text under construction; what does not fit is cut off, always NUL-terminated.
class Text {
 public:
  Text(char* buffer, size_t capacity) : buffer_(buffer), capacity_(capacity) { buffer_[0] = 0; }
  Text& Add(const char* text);
  Text& Add(const char* text, size_t length);
  Text& AddNumber(int64_t value);
  Text& AddPadded(uint64_t value, int digits);
  Text& AddHex(const unsigned char* bytes, size_t count);
  const char* c_str() const { return buffer_; }
  size_t size() const { return size_; }

 private:
  char* buffer_;
  size_t capacity_;
  size_t size_ = 0;
};

template <size_t kCapacity>
class TextBuffer : public Text {
 public:
  TextBuffer() : Text(storage_, kCapacity) {}

 private:
  char storage_[kCapacity];
};

// "2026-01-02T03:04:05.000000006Z": 30 bytes, UTC, from nanoseconds since 1970 (not negative).
constexpr size_t kTimestampSize = 30;
void FormatTimestamp(int64_t unix_nanoseconds, char out[kTimestampSize + 1]);

// Copies at most size - 1 bytes and terminates.
void CopyText(char* to, size_t size, const char* from);

// [A-Za-z0-9_+.-], the first not '.' or '-', at most kMaxName bytes: safe as one path component.
bool IsSafeName(const char* name);

int64_t RealtimeNanoseconds();

}  // namespace cluster::init
