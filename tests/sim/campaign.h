// Many seeds, on as many threads as the machine has; each seed on one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cluster::sim {

struct CampaignOptions {
  uint64_t first_seed = 1;
  int64_t seeds = 10;
  int hours = 25;          // simulated, of each seed
  int nodes = 0;           // 0: as each seed says
  int threads = 0;         // 0: one per processor
  int repeat_every = 100;  // of so many seeds one is run twice; 0: none
  int shrink_runs = 60;  // most runs for the history of the first failing seed; 0: it is not shrunk
  bool stop_at_first = false;  // failing seed
};

struct Failure {
  uint64_t seed = 0;
  std::string what;     // checker, time and words
  std::string history;  // shrunk; of the first failure alone
};

struct Report {
  int64_t seeds = 0;
  int64_t hours = 0;
  int64_t steps = 0;
  int64_t revisions = 0;
  int64_t messages = 0;
  int64_t repeated = 0;
  double seconds = 0;             // real ones
  std::vector<Failure> failures;  // by seed; another hash in the second run is one, too
};

Report RunCampaign(const CampaignOptions& options);

std::string Describe(const Report& report);

}  // namespace cluster::sim
