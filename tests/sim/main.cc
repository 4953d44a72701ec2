// cluster-sim: runs seeds of the simulation by hand; see README.md.
#include <iostream>

#include "CLI/CLI.hpp"
#include "spdlog/spdlog.h"

#include "base/file.h"
#include "tests/sim/campaign.h"
#include "tests/sim/history.h"
#include "tests/sim/run.h"

namespace cluster::sim {
namespace {

int RunOne(const std::string& file, const CampaignOptions& options, bool trace,
           const std::string& show) {
  Plan plan = MakePlan(options.first_seed, options.hours, options.nodes);
  if (!file.empty()) {
    const absl::StatusOr<std::string> text = ReadFile(file);
    const absl::StatusOr<Plan> read = text.ok() ? ReadHistory(*text) : text.status();
    if (!read.ok()) {
      std::cerr << file << ": " << read.status().message() << "\n";
      return 2;
    }
    plan = *read;
  }
  std::cout << PrintHistory(plan);
  const Outcome outcome = RunPlan(plan, WorldDirectory(0), trace, AllCheckers, show);
  std::cout << "hash " << std::hex << outcome.hash << "\n";
  if (!outcome.violation.has_value()) return 0;
  std::cout << outcome.violation->checker << ": " << outcome.violation->what << "\n";
  return 1;
}

}  // namespace
}  // namespace cluster::sim

int main(int argc, char** argv) {
  namespace sim = cluster::sim;
  sim::CampaignOptions options;
  int64_t total = 0;
  bool trace = false;
  bool log = false;
  std::string show;
  std::string history;
  CLI::App app("Simulates clusters, one for each seed.");
  app.add_option("--seed", options.first_seed, "the first one");
  app.add_option("--seeds", options.seeds, "how many");
  app.add_option("--hours", total, "simulated hours of all seeds together, instead of --seeds");
  app.add_option("--hours-per-seed", options.hours, "simulated hours of each");
  app.add_option("--nodes", options.nodes, "of each cluster; 0: as its seed says");
  app.add_option("--threads", options.threads, "0: one per processor");
  app.add_option("--repeat-every", options.repeat_every, "one of so many is run twice; 0: none");
  app.add_option("--shrink-runs", options.shrink_runs, "most runs to shorten a failing history");
  app.add_option("--history", history, "a file: that one, instead of a seed");
  app.add_flag("--stop-at-first", options.stop_at_first, "with a seed that fails");
  app.add_flag("--trace", trace, "tell what happens in --seed or --history, once");
  app.add_option("--show", show, "with --trace: objects with this in their keys, whole");
  app.add_flag("--log", log, "with the programs' own log");
  CLI11_PARSE(app, argc, argv);
  if (trace || !history.empty()) {
    spdlog::set_level(log ? spdlog::level::debug : spdlog::level::off);
    return sim::RunOne(history, options, trace, show);
  }
  if (total > 0) options.seeds = (total + options.hours - 1) / options.hours;
  const sim::Report report = sim::RunCampaign(options);
  std::cout << sim::Describe(report);
  return report.failures.empty() ? 0 : 1;
}
