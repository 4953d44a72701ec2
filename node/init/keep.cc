#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "node/init/pod.h"
#include "node/init/text.h"

namespace cluster::init {
namespace {

constexpr size_t kMaxKept = 128;

Kept* Find(Pod* pod, const char* name) {
  for (Kept* at = pod->kept; at != nullptr; at = at->next) {
    if (strcmp(at->name, name) == 0) return at;
  }
  return nullptr;
}

}  // namespace

void Keep(Pod* pod, Connection* from, WireReader* request, int* fds, size_t fd_count) {
  const char* name = request->String();
  if (!request->ok() || fd_count != 1 || !IsSafeName(name)) {
    return ReplyRefused(from, EINVAL, "keep: malformed request");
  }
  if (Find(pod, name) != nullptr) return ReplyRefused(from, EEXIST, "keep", name);
  size_t count = 0;
  for (const Kept* at = pod->kept; at != nullptr; at = at->next) ++count;
  Kept* kept = count < kMaxKept ? static_cast<Kept*>(malloc(sizeof(Kept))) : nullptr;
  if (kept == nullptr) return ReplyRefused(from, ENOMEM, "keep: no room for", name);
  *kept = Kept();
  CopyText(kept->name, sizeof kept->name, name);
  kept->fd = fds[0];
  fds[0] = -1;
  kept->next = pod->kept;
  pod->kept = kept;
  ReplyDone(from);
}

void Fetch(Pod* pod, Connection* from, WireReader* request) {
  const char* name = request->String();
  if (strcmp(name, kUserNamespaceName) == 0 && pod->user_namespace >= 0) {
    return ReplyKept(from, pod->user_namespace);
  }
  const Kept* kept = request->ok() ? Find(pod, name) : nullptr;
  if (kept == nullptr) return ReplyRefused(from, ENOENT, "fetch: nothing is kept as", name);
  ReplyKept(from, kept->fd);
}

}  // namespace cluster::init
