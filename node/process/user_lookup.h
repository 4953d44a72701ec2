// Who a container's process runs as: the image's USER, looked up in the image's own /etc/passwd and
// /etc/group. These files are written by whoever made the image, so the parser is bounded in every
// direction. Freestanding (part of cluster-init): no C++ library, no allocation. passwd(5),
// group(5).
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace cluster::init {

constexpr size_t kMaxGroups = 256;
constexpr size_t kMaxAccountLine = 8192;      // longer lines are skipped
constexpr size_t kMaxAccountFile = 4 << 20;   // what lies behind is not looked at
constexpr uint32_t kMaxUserId = 0xfffffffeu;  // 0xffffffff means "no change" to setresuid(2)

struct UserIds {
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t groups[kMaxGroups] = {};
  size_t group_count = 0;
  char home[256] = "/";
};

// `spec` is "", "user" or "user:group", each a name or a decimal number. Descriptors are of regular
// files, read from their current position; -1 = the image has no such file. A name must be in its
// file; a number need not. Supplementary groups are those that list the user, unless `spec` names a
// group. Returns nullptr when done, else a sentence that says what is wrong.
const char* LookUpUser(const char* spec, int passwd_fd, int group_fd, UserIds* out);

// Strict: digits alone, at most kMaxUserId.
bool ParseUserId(const char* text, size_t length, uint32_t* out);

}  // namespace cluster::init
