#include "tests/sim/campaign.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "spdlog/spdlog.h"

#include "base/mutex.h"
#include "tests/sim/history.h"
#include "tests/sim/run.h"

namespace cluster::sim {
namespace {

class Campaign {
 public:
  explicit Campaign(const CampaignOptions& options) : options_(options) {}

  Report Run() {
    // What production code says of a million faults helps nobody.
    spdlog::set_level(spdlog::level::off);
    const absl::Time begin = absl::Now();
    std::vector<std::thread> threads;
    const int count = options_.threads > 0
                          ? options_.threads
                          : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    for (int i = 0; i < count; ++i) threads.emplace_back([this, i] { Work(i); });
    for (std::thread& thread : threads) thread.join();
    MutexLock lock(&mutex_);
    report_.seconds = absl::ToDoubleSeconds(absl::Now() - begin);
    std::sort(report_.failures.begin(), report_.failures.end(),
              [](const Failure& a, const Failure& b) { return a.seed < b.seed; });
    return report_;
  }

 private:
  void Work(int thread) {
    const std::string directory = WorldDirectory(thread);
    for (;;) {
      const int64_t number = next_++;
      if (number >= options_.seeds || (options_.stop_at_first && failed_)) return;
      RunSeed(options_.first_seed + static_cast<uint64_t>(number), number, directory);
    }
  }

  void RunSeed(uint64_t seed, int64_t number, const std::string& directory) {
    const Plan plan = MakePlan(seed, options_.hours, options_.nodes);
    const Outcome outcome = RunPlan(plan, directory);
    const bool again = options_.repeat_every > 0 && number % options_.repeat_every == 0;
    const bool same = !again || RunPlan(plan, directory).hash == outcome.hash;
    Failure failure{seed, "", ""};
    if (!same) failure.what = "the second run took another course";
    if (outcome.violation.has_value()) {
      failure.what = absl::StrFormat("%s, at %.3f s: %s", outcome.violation->checker,
                                     static_cast<double>(outcome.violation->at) / 1e9,
                                     outcome.violation->what);
      if (options_.shrink_runs > 0 && !shrinking_.exchange(true)) {
        failure.history =
            PrintHistory(Shrink(plan, *outcome.violation, directory, options_.shrink_runs));
      }
    }
    MutexLock lock(&mutex_);
    ++report_.seeds;
    report_.repeated += again ? 1 : 0;
    report_.hours += options_.hours * (again ? 2 : 1);
    report_.steps += outcome.steps;
    report_.revisions += outcome.revisions;
    report_.messages += outcome.messages;
    if (failure.what.empty()) return;
    failed_ = true;
    report_.failures.push_back(std::move(failure));
  }

  const CampaignOptions options_;
  std::atomic<int64_t> next_{0};
  std::atomic<bool> shrinking_{false};
  std::atomic<bool> failed_{false};
  Mutex mutex_;
  Report report_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

Report RunCampaign(const CampaignOptions& options) { return Campaign(options).Run(); }

std::string Describe(const Report& report) {
  std::string text = absl::StrFormat(
      "%d seeds (%d of them twice), %d simulated hours in %.1f s: %.0f hours/s, %.0f times real "
      "time; %d tasks (%.0f/s), %d messages, %d revisions\n",
      report.seeds, report.repeated, report.hours, report.seconds,
      static_cast<double>(report.hours) / report.seconds,
      static_cast<double>(report.hours) * 3600 / report.seconds, report.steps,
      static_cast<double>(report.steps) / report.seconds, report.messages, report.revisions);
  for (const Failure& failure : report.failures) {
    absl::StrAppend(&text, "seed ", failure.seed, ": ", failure.what, "\n", failure.history);
  }
  return text;
}

}  // namespace cluster::sim
