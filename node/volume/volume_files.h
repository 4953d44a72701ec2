// Volumes whose files come from objects of the cluster: ConfigMaps, Secrets, a pod's own metadata.
//
// Laid out as Kubernetes does, so that software which watches for changes finds what it knows:
//
//   ..<digest>/app.conf     the files of one state, read-only from the moment they can be seen
//   ..data -> ..<digest>    which state counts: exchanged by one rename
//   app.conf -> ..data/app.conf
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

#include "node/volume/sub_path.h"
#include "node/volume/volume.h"

namespace cluster::node {

// Makes the directory `dir` hold exactly `files`. A reader sees all of the old or all of the new; a
// crash leaves one of the two, and the next call clears up. Nothing is touched when they are there.
// Containers cannot write here. ResourceExhausted: no room.
absl::Status ReplaceFiles(int dir, const std::vector<VolumeFile>& files, const PathOwner& owner);

// Stands for paths, contents, modes and owner. Pure.
std::string DigestOf(const std::vector<VolumeFile>& files, const PathOwner& owner);

}  // namespace cluster::node
