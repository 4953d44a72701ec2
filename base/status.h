// Status macros and the one place where an errno becomes a Status.
//
// A failing syscall becomes a Status on the next line, with operation and object:
//   if (mkdirat(dir, name, 0755) != 0) return ErrnoStatus("mkdir", name);   // "mkdir web-1:
//   EEXIST"
// Codes carry policy: Unavailable/Aborted = retry, FailedPrecondition = wait for a change,
// InvalidArgument = the user's to mend, Internal = ours.
#pragma once

#include <cerrno>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster {

// "OPERATION OBJECT: ENAME" from the given errno, with the code that fits it (ENOENT = NotFound,
// EEXIST = AlreadyExists, EBUSY/EAGAIN/EINTR = Unavailable, ENOSPC/EDQUOT/EMFILE/ENFILE/ENOMEM =
// ResourceExhausted, EPERM/EACCES/EROFS = PermissionDenied, else Internal).
absl::Status ErrnoStatus(int error, absl::string_view operation, absl::string_view object = "");
inline absl::Status ErrnoStatus(absl::string_view operation, absl::string_view object = "") {
  return ErrnoStatus(errno, operation, object);
}

// The symbolic name of an errno ("ENOENT"), or "E?" for one without a name.
absl::string_view ErrnoName(int error);

// The same status with "CONTEXT: " before its message; ok stays ok.
absl::Status Annotate(const absl::Status& status, absl::string_view context);

}  // namespace cluster

#define RETURN_IF_ERROR(expr)                                \
  do {                                                       \
    absl::Status status_macro_value = (expr);                \
    if (!status_macro_value.ok()) return status_macro_value; \
  } while (false)

#define CLUSTER_CONCAT_INNER(a, b) a##b
#define CLUSTER_CONCAT(a, b) CLUSTER_CONCAT_INNER(a, b)

// ASSIGN_OR_RETURN(auto fd, Open(path));
#define ASSIGN_OR_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_INNER(CLUSTER_CONCAT(status_or_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_INNER(tmp, lhs, expr) \
  auto tmp = (expr);                           \
  if (!tmp.ok()) return tmp.status();          \
  lhs = std::move(tmp).value()
