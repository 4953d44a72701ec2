// What `top` prints, as kubectl prints it; and with more columns on request. Pure.
#pragma once

#include <string>
#include <vector>

#include "cli/output/table.h"

#include "cluster/v1/node.pb.h"
#include "cluster/v1/stats.pb.h"

namespace cluster::cli {

enum class TopOrder { kName, kCpu, kMemory };

struct TopOptions {
  TopOrder order = TopOrder::kName;  // of cpu and memory the most first
  bool with_namespace = false;       // a first column NAMESPACE
  bool containers = false;           // a row per container instead of per pod
  bool headers = true;
  bool sum = false;   // a last row with the sums
  bool wide = false;  // throttling, processes, network and disk
};

// A row per pod, or per container.
std::vector<Cells> TopPodRows(const std::vector<v1::PodStats>& pods, const TopOptions& options);

// A row per node; one that did not answer shows <unknown>. Shares are of what pods may have.
std::vector<Cells> TopNodeRows(const std::vector<v1::Node>& nodes,
                               const std::vector<v1::NodeStats>& stats, const TopOptions& options);

}  // namespace cluster::cli
