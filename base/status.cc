#include "base/status.h"

#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

namespace cluster {
namespace {

absl::StatusCode CodeFor(int error) {
  switch (error) {
    case ENOENT:
    case ESRCH:
    case ENODEV:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case EBUSY:
    case EAGAIN:
    case EINTR:
    case ECONNREFUSED:
    case ECONNRESET:
    case ETIMEDOUT:
      return absl::StatusCode::kUnavailable;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::StatusCode::kResourceExhausted;
    case EPERM:
    case EACCES:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::string_view ErrnoName(int error) {
  const char* name = strerrorname_np(error);
  return name == nullptr ? absl::string_view("E?") : absl::string_view(name);
}

absl::Status ErrnoStatus(int error, absl::string_view operation, absl::string_view object) {
  const absl::string_view gap = object.empty() ? "" : " ";
  return absl::Status(CodeFor(error), absl::StrCat(operation, gap, object, ": ", ErrnoName(error)));
}

absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(context, ": ", status.message()));
  status.ForEachPayload([&annotated](absl::string_view url, const absl::Cord& payload) {
    annotated.SetPayload(url, payload);
  });
  return annotated;
}

}  // namespace cluster
