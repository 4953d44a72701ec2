#include "node/process/user_lookup.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

namespace cluster::init {
namespace {

struct Slice {
  const char* data = nullptr;
  size_t size = 0;

  bool Is(const Slice& other) const {
    return size == other.size && memcmp(data, other.data, size) == 0;
  }
};

class LineReader {
 public:
  explicit LineReader(int fd) : fd_(fd) {}

  // The next line that fits; false at the end.
  bool Next(Slice* line) {
    for (;;) {
      const void* newline = memchr(buffer_ + begin_, '\n', end_ - begin_);
      if (newline != nullptr) {
        const size_t length =
            static_cast<size_t>(static_cast<const char*>(newline) - buffer_) - begin_;
        const bool whole = !skipping_;
        *line = {buffer_ + begin_, length};
        begin_ += length + 1;
        skipping_ = false;
        if (whole) return true;
        continue;
      }
      if (!Fill()) break;
    }
    if (skipping_ || begin_ == end_) return false;
    *line = {buffer_ + begin_, end_ - begin_};
    begin_ = end_;
    return true;
  }

 private:
  bool Fill() {
    if (begin_ == 0 && end_ == sizeof buffer_) {
      skipping_ = true;
      end_ = 0;
    }
    memmove(buffer_, buffer_ + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    if (total_ >= kMaxAccountFile || fd_ < 0) return false;
    ssize_t got;
    do {
      got = read(fd_, buffer_ + end_, sizeof buffer_ - end_);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) return false;
    end_ += static_cast<size_t>(got);
    total_ += static_cast<size_t>(got);
    return true;
  }

  int fd_;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t total_ = 0;
  bool skipping_ = false;
  char buffer_[kMaxAccountLine];
};

// Cuts the text before the next `separator` off `rest`; false when nothing is left.
bool NextField(Slice* rest, char separator, Slice* field) {
  if (rest->data == nullptr) return false;
  const void* found = memchr(rest->data, separator, rest->size);
  if (found == nullptr) {
    *field = *rest;
    *rest = {};
    return true;
  }
  const size_t length = static_cast<size_t>(static_cast<const char*>(found) - rest->data);
  *field = {rest->data, length};
  *rest = {rest->data + length + 1, rest->size - length - 1};
  return true;
}

constexpr size_t kPasswdFields = 7;

size_t Split(Slice line, Slice fields[kPasswdFields]) {
  size_t count = 0;
  while (count < kPasswdFields && NextField(&line, ':', &fields[count])) ++count;
  return count;
}

struct Account {
  bool found = false;
  char name[256] = "";
};

// The first entry for `name`, or for `uid` when name is null.
Account FindAccount(int fd, const Slice* name, uint32_t uid, UserIds* out) {
  Account account;
  LineReader reader(fd);
  for (Slice line; reader.Next(&line);) {
    Slice fields[kPasswdFields];
    uint32_t entry_uid = 0;
    uint32_t entry_gid = 0;
    if (Split(line, fields) < 6 || !ParseUserId(fields[2].data, fields[2].size, &entry_uid) ||
        !ParseUserId(fields[3].data, fields[3].size, &entry_gid) ||
        fields[0].size >= sizeof account.name) {
      continue;
    }
    if (name != nullptr ? !fields[0].Is(*name) : entry_uid != uid) continue;
    account.found = true;
    memcpy(account.name, fields[0].data, fields[0].size);
    account.name[fields[0].size] = 0;
    out->uid = entry_uid;
    out->gid = entry_gid;
    if (fields[5].size > 0 && fields[5].size < sizeof out->home && fields[5].data[0] == '/' &&
        memchr(fields[5].data, 0, fields[5].size) == nullptr) {
      memcpy(out->home, fields[5].data, fields[5].size);
      out->home[fields[5].size] = 0;
    }
    break;
  }
  return account;
}

bool FindGroup(int fd, const Slice& name, uint32_t* gid) {
  LineReader reader(fd);
  for (Slice line; reader.Next(&line);) {
    Slice fields[kPasswdFields];
    if (Split(line, fields) >= 3 && fields[0].Is(name) &&
        ParseUserId(fields[2].data, fields[2].size, gid)) {
      return true;
    }
  }
  return false;
}

const char* CollectGroups(int fd, const char* user, UserIds* out) {
  const Slice name{user, strlen(user)};
  LineReader reader(fd);
  for (Slice line; reader.Next(&line);) {
    Slice fields[kPasswdFields];
    uint32_t gid = 0;
    if (Split(line, fields) < 4 || !ParseUserId(fields[2].data, fields[2].size, &gid)) continue;
    Slice members = fields[3];
    for (Slice member; NextField(&members, ',', &member);) {
      if (!member.Is(name)) continue;
      if (out->group_count == kMaxGroups)
        return "the user is in more than 256 groups of /etc/group";
      out->groups[out->group_count++] = gid;
      break;
    }
  }
  return nullptr;
}

}  // namespace

bool ParseUserId(const char* text, size_t length, uint32_t* out) {
  if (length == 0 || length > 10) return false;
  uint64_t value = 0;
  for (size_t i = 0; i < length; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + static_cast<uint64_t>(text[i] - '0');
  }
  if (value > kMaxUserId) return false;
  *out = static_cast<uint32_t>(value);
  return true;
}

const char* LookUpUser(const char* spec, int passwd_fd, int group_fd, UserIds* out) {
  Slice rest{spec, strlen(spec)};
  Slice user;
  NextField(&rest, ':', &user);
  const bool has_group = rest.data != nullptr;
  const Slice group = rest;
  if (user.size == 0 && *spec != 0) return "USER has no user before its ':'";
  if (has_group && group.size == 0) return "USER has no group behind its ':'";
  if (has_group && memchr(group.data, ':', group.size) != nullptr) return "USER has two ':'";

  uint32_t uid = 0;
  const bool digit = user.size > 0 && user.data[0] >= '0' && user.data[0] <= '9';
  if (digit && !ParseUserId(user.data, user.size, &uid)) {
    return "USER starts with a digit but is not a decimal user id up to 4294967294";
  }
  out->uid = uid;
  out->gid = 0;
  const bool by_name = user.size > 0 && !digit;
  const Account account = FindAccount(passwd_fd, by_name ? &user : nullptr, uid, out);
  if (by_name && !account.found) return "USER is not in the image's /etc/passwd";
  if (has_group) {
    if (ParseUserId(group.data, group.size, &out->gid)) return nullptr;
    if (group.data[0] >= '0' && group.data[0] <= '9') {
      return "the group of USER starts with a digit but is not a decimal group id";
    }
    return FindGroup(group_fd, group, &out->gid)
               ? nullptr
               : "the group of USER is not in the image's /etc/group";
  }
  return account.found ? CollectGroups(group_fd, account.name, out) : nullptr;
}

}  // namespace cluster::init
