#include "absl/strings/str_cat.h"

#include "node/oci/config_parts.h"

namespace cluster::oci {
namespace {

void ReadDeviceRule(const Field& field, DeviceRule* out) {
  field["allow"].Require();
  field["allow"].Get(&out->allow);
  std::string type = "a";
  field["type"].Get(&type);
  if (type != "a" && type != "b" && type != "c") {
    return field["type"].Fail("must be 'a', 'b' or 'c'");
  }
  out->type = type[0];
  field["major"].Get(&out->major);
  field["minor"].Get(&out->minor);
  if (out->major < -1) field["major"].Fail("must not be negative");
  if (out->minor < -1) field["minor"].Fail("must not be negative");
  if (!field["access"].Get(&out->access) || out->access.empty()) out->access = "rwm";
  if (out->access.find_first_not_of("rwm") != std::string::npos) {
    field["access"].Fail("must be of the letters r, w and m");
  }
}

void ReadMemory(const Field& field, MemoryResources* out) {
  field["limit"].Get(&out->limit);
  field["reservation"].Get(&out->reservation);
  field["swap"].Get(&out->swap);
  if (field["swappiness"].Get(&out->swappiness) && *out->swappiness > 100) {
    field["swappiness"].Fail("must be from 0 to 100");
  }
  field["disableOOMKiller"].Get(&out->disable_oom_killer);
  field["useHierarchy"].Get(&out->use_hierarchy);
  field["checkBeforeUpdate"].Get(&out->check_before_update);
  int64_t ignored = 0;
  for (const char* name : {"kernel", "kernelTCP"}) {
    if (field[name].Get(&ignored)) field[name].Warn("kernels have no such limit any more; skipped");
  }
}

void ReadCpu(const Field& field, CpuResources* out) {
  field["shares"].Get(&out->shares);
  field["quota"].Get(&out->quota);
  field["period"].Get(&out->period);
  field["burst"].Get(&out->burst);
  field["realtimeRuntime"].Get(&out->realtime_runtime);
  field["realtimePeriod"].Get(&out->realtime_period);
  if (field["idle"].Get(&out->idle) && *out->idle != 0 && *out->idle != 1) {
    field["idle"].Fail("must be 0 or 1");
  }
  field["cpus"].Get(&out->cpus);
  field["mems"].Get(&out->mems);
}

void ReadThrottles(const Field& field, std::vector<DeviceThrottle>* out) {
  field.Items([out](const Field& item) {
    DeviceThrottle& throttle = out->emplace_back();
    for (const char* name : {"major", "minor", "rate"}) item[name].Require();
    item["major"].Get(&throttle.major);
    item["minor"].Get(&throttle.minor);
    item["rate"].Get(&throttle.rate);
  });
}

void CheckWeight(const Field& field, const std::optional<uint16_t>& weight) {
  if (weight && *weight != 0 && (*weight < 10 || *weight > 1000)) {
    field.Fail("must be from 10 to 1000");
  }
}

void ReadBlock(const Field& field, BlockResources* out) {
  field["weight"].Get(&out->weight);
  CheckWeight(field["weight"], out->weight);
  field["leafWeight"].Get(&out->leaf_weight);
  CheckWeight(field["leafWeight"], out->leaf_weight);
  field["weightDevice"].Items([out](const Field& item) {
    DeviceWeight& weight = out->weight_devices.emplace_back();
    item["major"].Get(&weight.major);
    item["minor"].Get(&weight.minor);
    item["weight"].Get(&weight.weight);
    CheckWeight(item["weight"], weight.weight);
    item["leafWeight"].Get(&weight.leaf_weight);
    CheckWeight(item["leafWeight"], weight.leaf_weight);
  });
  ReadThrottles(field["throttleReadBpsDevice"], &out->read_bps);
  ReadThrottles(field["throttleWriteBpsDevice"], &out->write_bps);
  ReadThrottles(field["throttleReadIOPSDevice"], &out->read_iops);
  ReadThrottles(field["throttleWriteIOPSDevice"], &out->write_iops);
}

void ReadHugepage(const Field& field, HugepageLimit* out) {
  field["pageSize"].Require();
  field["limit"].Require();
  field["pageSize"].Get(&out->page_size);
  field["limit"].Get(&out->limit);
  // It becomes part of a file's name.
  if (out->page_size.empty() ||
      out->page_size.find_first_not_of("0123456789KMGTB") != std::string::npos) {
    field["pageSize"].Fail("must be a size like 2MB");
  }
}

void ReadNetwork(const Field& field, Resources* out) {
  field["classID"].Get(&out->network_class);
  field["priorities"].Items([out](const Field& item) {
    InterfacePriority& priority = out->network_priorities.emplace_back();
    item["name"].Require();
    item["name"].Get(&priority.name);
    item["priority"].Get(&priority.priority);
  });
}

}  // namespace

void ReadResourcesField(const Field& field, Resources* out) {
  field["devices"].Items(
      [out](const Field& item) { ReadDeviceRule(item, &out->devices.emplace_back()); });
  ReadMemory(field["memory"], &out->memory);
  ReadCpu(field["cpu"], &out->cpu);
  field["pids"]["limit"].Get(&out->pids_limit);
  ReadBlock(field["blockIO"], &out->block);
  field["hugepageLimits"].Items(
      [out](const Field& item) { ReadHugepage(item, &out->hugepages.emplace_back()); });
  ReadNetwork(field["network"], out);
  field["rdma"].Members([out](const std::string& device, const Field& limit) {
    RdmaLimit& entry = out->rdma[device];
    limit["hcaHandles"].Get(&entry.handles);
    limit["hcaObjects"].Get(&entry.objects);
  });
  field["unified"].Members([out](const std::string& file, const Field& value) {
    if (file.empty() || file.find('/') != std::string::npos ||
        file.find('.') == std::string::npos) {
      return value.Fail("must be the name of a control file, like memory.high");
    }
    value.Get(&out->unified[file]);
  });
}

}  // namespace cluster::oci
