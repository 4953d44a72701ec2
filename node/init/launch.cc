#include "node/init/launch.h"

#include <stdlib.h>

namespace cluster::init {
namespace {

constexpr size_t kEmptyString = 5;  // bytes on the wire

// calloc for the items of a list; `count` was checked against the bytes that are there.
template <typename T>
T* Allocate(WireReader* reader, size_t item_size, size_t* count) {
  *count = reader->Count(item_size);
  if (!reader->ok()) return nullptr;
  T* items = static_cast<T*>(calloc(*count + 1, sizeof(T)));
  if (items == nullptr) *count = 0;
  return items;
}

bool ReadMount(WireReader* reader, MountStep* mount) {
  mount->kind = static_cast<MountKind>(reader->U32());
  mount->flags = reader->U32();
  mount->source = reader->String();
  mount->target = reader->String();
  mount->attributes = reader->U64();
  mount->options = Allocate<MountOption>(reader, 2 * kEmptyString, &mount->option_count);
  if (mount->options == nullptr) return false;
  for (size_t i = 0; i < mount->option_count; ++i) {
    mount->options[i].key = reader->String();
    mount->options[i].value = reader->String();
  }
  return reader->ok();
}

bool ReadMounts(WireReader* reader, Launch* out) {
  out->mounts = Allocate<MountStep>(reader, 20 + 2 * kEmptyString, &out->mount_count);
  if (out->mounts == nullptr) return false;
  for (size_t i = 0; i < out->mount_count; ++i) {
    if (!ReadMount(reader, &out->mounts[i])) return false;
  }
  return true;
}

bool ReadDevices(WireReader* reader, Launch* out) {
  out->devices = Allocate<DeviceStep>(reader, 12 + kEmptyString, &out->device_count);
  if (out->devices == nullptr) return false;
  for (size_t i = 0; i < out->device_count; ++i) {
    DeviceStep& device = out->devices[i];
    device.name = reader->String();
    device.mode = reader->U32();
    device.major = reader->U32();
    device.minor = reader->U32();
  }
  out->links = Allocate<LinkStep>(reader, 2 * kEmptyString, &out->link_count);
  if (out->links == nullptr) return false;
  for (size_t i = 0; i < out->link_count; ++i) {
    out->links[i].name = reader->String();
    out->links[i].target = reader->String();
  }
  return reader->ok();
}

bool ReadNumbers(WireReader* reader, Launch* out) {
  out->gid = reader->U32();
  out->groups = Allocate<uint32_t>(reader, sizeof(uint32_t), &out->group_count);
  if (out->groups == nullptr) return false;
  for (size_t i = 0; i < out->group_count; ++i) out->groups[i] = reader->U32();
  out->limits = Allocate<LimitStep>(reader, 20, &out->limit_count);
  if (out->limits == nullptr) return false;
  for (size_t i = 0; i < out->limit_count; ++i) {
    LimitStep& limit = out->limits[i];
    limit.resource = reader->U32();
    limit.soft = reader->U64();
    limit.hard = reader->U64();
  }
  out->boottime_offset = reader->I64();
  out->monotonic_offset = reader->I64();
  out->log_max_bytes = reader->U64();
  out->log_max_files = reader->U32();
  return reader->ok();
}

}  // namespace

bool ReadStrings(WireReader* reader, Strings* out) {
  out->items = Allocate<const char*>(reader, kEmptyString, &out->count);
  if (out->items == nullptr) return false;
  for (size_t i = 0; i < out->count; ++i) out->items[i] = reader->String();
  return reader->ok();
}

bool ReadLaunch(const char* plan, size_t size, Launch* out) {
  WireReader reader(plan, size);
  if (reader.U32() != kWireVersion) return false;
  out->name = reader.String();
  out->attempt = reader.I32();
  out->flags = reader.U32();
  out->capabilities = reader.U64();
  out->oom_score_adj = reader.I32();
  out->instance_path = reader.String();
  out->working_dir = reader.String();
  out->user = reader.String();
  const bool read = ReadStrings(&reader, &out->argv) && ReadStrings(&reader, &out->env) &&
                    ReadStrings(&reader, &out->layers) && ReadMounts(&reader, out) &&
                    ReadDevices(&reader, out) && ReadStrings(&reader, &out->read_only) &&
                    ReadStrings(&reader, &out->masked) && ReadNumbers(&reader, out);
  out->filter = reader.Bytes(&out->filter_size);
  if (reader.left() > 0) out->pid_namespace_of = reader.String();
  return read && reader.ok() && out->argv.count > 0;
}

void FreeLaunch(Launch* launch) {
  free(launch->argv.items);
  free(launch->env.items);
  free(launch->layers.items);
  for (size_t i = 0; i < launch->mount_count && launch->mounts != nullptr; ++i) {
    free(launch->mounts[i].options);
  }
  free(launch->mounts);
  free(launch->devices);
  free(launch->links);
  free(launch->read_only.items);
  free(launch->masked.items);
  free(launch->groups);
  free(launch->limits);
  *launch = Launch();
}

}  // namespace cluster::init
