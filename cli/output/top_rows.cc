#include "cli/output/top_rows.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "absl/strings/str_cat.h"

#include "proto/schema/scalars.h"

namespace cluster::cli {
namespace {

constexpr char kUnknown[] = "<unknown>";
constexpr int64_t kMebibyte = 1 << 20;

struct Line {
  std::string name_space;
  std::string pod;
  std::string container;  // empty: the pod as a whole
  v1::ResourceStats resources;
  v1::NetworkStats network;
};

std::string Cpu(int64_t milli) { return absl::StrCat(milli, "m"); }
std::string Memory(int64_t bytes) { return absl::StrCat(bytes / kMebibyte, "Mi"); }

// 1536 = "1.5Ki"; three digits at most.
std::string Amount(int64_t bytes) {
  constexpr const char* kUnits[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1000 && unit < 6; ++unit) value /= 1024;
  if (unit == 0 || value >= 10)
    return absl::StrCat(static_cast<int64_t>(value + 0.5), kUnits[unit]);
  const auto tenths = static_cast<int64_t>(value * 10 + 0.5);
  return absl::StrCat(tenths / 10, ".", tenths % 10, kUnits[unit]);
}

std::string Percent(int64_t part, int64_t whole) {
  return whole <= 0 ? "0%" : absl::StrCat(part * 100 / whole, "%");
}

bool Before(const Line& a, const Line& b, TopOrder order) {
  const auto name = [](const Line& line) {
    return std::tie(line.name_space, line.pod, line.container);
  };
  const int64_t a_cpu = a.resources.cpu_milli();
  const int64_t b_cpu = b.resources.cpu_milli();
  if (order == TopOrder::kCpu && a_cpu != b_cpu) return a_cpu > b_cpu;
  const int64_t a_memory = a.resources.memory_working_set_bytes();
  const int64_t b_memory = b.resources.memory_working_set_bytes();
  if (order == TopOrder::kMemory && a_memory != b_memory) return a_memory > b_memory;
  return name(a) < name(b);
}

// A pod's group often has the limit of its only container: whichever of the two runs out first is
// throttled, and the other one waits with it, uncounted.
void TakeThrottling(const v1::ResourceStats& other, v1::ResourceStats* stats) {
  const auto share = [](const v1::ResourceStats& of) {
    return of.cpu_periods() <= 0 ? 0.0
                                 : static_cast<double>(of.throttled_periods()) /
                                       static_cast<double>(of.cpu_periods());
  };
  if (share(other) <= share(*stats)) return;
  stats->set_throttled_periods(other.throttled_periods());
  stats->set_cpu_periods(other.cpu_periods());
}

std::vector<Line> LinesOf(const std::vector<v1::PodStats>& pods, const TopOptions& options) {
  std::vector<Line> lines;
  for (const v1::PodStats& pod : pods) {
    if (!options.containers) {
      lines.push_back({pod.namespace_(), pod.name(), "", pod.resources(), pod.network()});
      for (const v1::ContainerStats& container : pod.containers()) {
        TakeThrottling(container.resources(), &lines.back().resources);
      }
      continue;
    }
    for (const v1::ContainerStats& container : pod.containers()) {
      lines.push_back({pod.namespace_(), pod.name(), container.name(), container.resources(), {}});
      TakeThrottling(pod.resources(), &lines.back().resources);
    }
  }
  std::sort(lines.begin(), lines.end(),
            [&](const Line& a, const Line& b) { return Before(a, b, options.order); });
  return lines;
}

Cells PodHeader(const TopOptions& options) {
  Cells header;
  if (options.with_namespace) header.push_back("NAMESPACE");
  if (options.containers) header.push_back("POD");
  header.insert(header.end(), {"NAME", "CPU(cores)", "MEMORY(bytes)"});
  if (!options.wide) return header;
  header.insert(header.end(),
                {"THROTTLED", "MEMORY-LIMIT", "OOM-KILLS", "PIDS", "READ", "WRITTEN"});
  // Containers share their pod's network.
  if (!options.containers) header.insert(header.end(), {"RECEIVED", "SENT"});
  return header;
}

Cells PodRow(const Line& line, const TopOptions& options) {
  Cells row;
  if (options.with_namespace) row.push_back(line.name_space);
  row.push_back(line.pod);
  if (options.containers) row.push_back(line.container);
  const v1::ResourceStats& used = line.resources;
  row.push_back(Cpu(used.cpu_milli()));
  row.push_back(Memory(used.memory_working_set_bytes()));
  if (!options.wide) return row;
  row.push_back(Percent(used.throttled_periods(), used.cpu_periods()));
  row.push_back(used.memory_limit_bytes() > 0 ? Amount(used.memory_limit_bytes()) : "<none>");
  row.push_back(absl::StrCat(used.oom_kills()));
  row.push_back(absl::StrCat(used.pids()));
  row.push_back(Amount(used.read_bytes()));
  row.push_back(Amount(used.written_bytes()));
  if (options.containers) return row;
  row.push_back(Amount(line.network.received_bytes()));
  row.push_back(Amount(line.network.sent_bytes()));
  return row;
}

Cells SumRow(const std::vector<Line>& lines, const TopOptions& options) {
  int64_t cpu = 0;
  int64_t memory = 0;
  for (const Line& line : lines) {
    cpu += line.resources.cpu_milli();
    memory += line.resources.memory_working_set_bytes();
  }
  Cells row(static_cast<size_t>(options.with_namespace) + static_cast<size_t>(options.containers) +
            1);
  row.insert(row.end(), {Cpu(cpu), Memory(memory)});
  return row;
}

int64_t Allocatable(const v1::Node& node, const char* resource,
                    absl::StatusOr<int64_t> (*parse)(absl::string_view)) {
  const auto amount = node.status().allocatable().find(resource);
  if (amount == node.status().allocatable().end()) return 0;
  return parse(amount->second).value_or(0);
}

Cells NodeHeader(const TopOptions& options) {
  Cells header = {"NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"};
  if (options.wide) {
    header.insert(header.end(), {"PODS", "PODS-CPU", "PODS-MEMORY", "PIDS", "CPU-STALL",
                                 "MEMORY-STALL", "IO-STALL"});
  }
  return header;
}

std::string Stall(const v1::Pressure& pressure) {
  return absl::StrCat(static_cast<int64_t>(pressure.some() + 0.5), "%");
}

Cells NodeRow(const v1::Node& node, const v1::NodeStats& stats, const TopOptions& options) {
  const v1::ResourceStats& used = stats.machine();
  Cells row = {
      node.metadata().name(), Cpu(used.cpu_milli()),
      Percent(used.cpu_milli(), Allocatable(node, "cpu", QuantityMilli)),
      Memory(used.memory_working_set_bytes()),
      Percent(used.memory_working_set_bytes(), Allocatable(node, "memory", QuantityValue))};
  if (!options.wide) return row;
  row.insert(row.end(), {absl::StrCat(stats.pods_size()), Cpu(stats.pods_total().cpu_milli()),
                         Memory(stats.pods_total().memory_working_set_bytes()),
                         absl::StrCat(used.pids()), Stall(used.cpu_pressure()),
                         Stall(used.memory_pressure()), Stall(used.io_pressure())});
  return row;
}

}  // namespace

std::vector<Cells> TopPodRows(const std::vector<v1::PodStats>& pods, const TopOptions& options) {
  const std::vector<Line> lines = LinesOf(pods, options);
  std::vector<Cells> rows;
  if (options.headers) rows.push_back(PodHeader(options));
  for (const Line& line : lines) rows.push_back(PodRow(line, options));
  if (options.sum) rows.push_back(SumRow(lines, options));
  return rows;
}

std::vector<Cells> TopNodeRows(const std::vector<v1::Node>& nodes,
                               const std::vector<v1::NodeStats>& stats, const TopOptions& options) {
  std::map<std::string, const v1::NodeStats*> by_name;
  for (const v1::NodeStats& one : stats) by_name[one.node()] = &one;
  std::vector<const v1::Node*> ordered;
  for (const v1::Node& node : nodes) ordered.push_back(&node);
  const auto key = [&](const v1::Node* node) {
    const auto found = by_name.find(node->metadata().name());
    int64_t amount = -1;
    if (found != by_name.end()) {
      amount = options.order == TopOrder::kMemory
                   ? found->second->machine().memory_working_set_bytes()
                   : found->second->machine().cpu_milli();
    }
    return std::make_tuple(options.order == TopOrder::kName ? 0 : -amount, node->metadata().name());
  };
  std::sort(ordered.begin(), ordered.end(),
            [&](const v1::Node* a, const v1::Node* b) { return key(a) < key(b); });
  std::vector<Cells> rows;
  if (options.headers) rows.push_back(NodeHeader(options));
  for (const v1::Node* node : ordered) {
    const auto found = by_name.find(node->metadata().name());
    rows.push_back(found == by_name.end()
                       ? Cells{node->metadata().name(), kUnknown, kUnknown, kUnknown, kUnknown}
                       : NodeRow(*node, *found->second, options));
  }
  return rows;
}

}  // namespace cluster::cli
