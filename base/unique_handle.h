// One owner for one kernel handle. Traits say which value is "none" and how to close.
#pragma once

#include <unistd.h>

#include <utility>

namespace cluster {

template <typename Traits>
class UniqueHandle {
 public:
  using Value = typename Traits::Value;

  UniqueHandle() = default;
  explicit UniqueHandle(Value value) : value_(value) {}
  UniqueHandle(UniqueHandle&& other) noexcept : value_(other.release()) {}
  UniqueHandle& operator=(UniqueHandle&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  UniqueHandle(const UniqueHandle&) = delete;
  UniqueHandle& operator=(const UniqueHandle&) = delete;
  ~UniqueHandle() { reset(); }

  Value get() const { return value_; }
  bool valid() const { return value_ != Traits::None(); }
  explicit operator bool() const { return valid(); }
  Value release() { return std::exchange(value_, Traits::None()); }
  void reset(Value value = Traits::None()) {
    const Value old = std::exchange(value_, value);
    if (old != Traits::None()) Traits::Close(old);
  }

 private:
  Value value_ = Traits::None();
};

struct FdTraits {
  using Value = int;
  static constexpr int None() { return -1; }
  static void Close(int fd) { ::close(fd); }
};

// A file descriptor, pidfd, socket, mount descriptor: whatever close(2) ends.
using UniqueFd = UniqueHandle<FdTraits>;

}  // namespace cluster
