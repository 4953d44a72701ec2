// What packing and unpacking share; of no use outside this folder.
#pragma once

#include <string>

#include "base/mutex.h"
#include "controller/cache/entry.h"

namespace cluster {

// Held while an entry is packed or unpacked; entries share a few.
Mutex& PackingMutex(const Entry* entry);

// With resourceVersion; deterministic.
std::string SerializeWhole(const v1::Object& object);

}  // namespace cluster
