#include "node/probe/probe_schedule.h"

#include <functional>
#include <limits>

#include "absl/strings/str_cat.h"

namespace cluster::node {
namespace {

// The same complaint is told again only after this long.
constexpr absl::Duration kTellAgain = absl::Minutes(1);

// Between 0 and 1, the same for a container whenever it is asked.
double PlaceOf(const std::string& uid, const std::string& container) {
  const size_t hash = std::hash<std::string>()(absl::StrCat(uid, "/", container));
  return static_cast<double>(hash) / static_cast<double>(std::numeric_limits<size_t>::max());
}

}  // namespace

void ProbeSchedule::Set(const std::string& uid, std::vector<ProbeTarget> targets,
                        absl::Duration now) {
  Pod& pod = pods_[uid];
  std::map<std::string, Container> before;
  before.swap(pod.containers);
  for (const auto& [name, container] : before) timers_.erase({container.due, uid, name});
  for (ProbeTarget& target : targets) {
    const std::string name = target.container;
    const auto known = before.find(name);
    const bool same =
        known != before.end() && known->second.machine.health().attempt == target.attempt;
    Container& container =
        same ? pod.containers.emplace(name, std::move(known->second)).first->second
             : pod.containers
                   .emplace(name,
                            Container{ProbeMachine(std::move(target), PlaceOf(uid, name), now)})
                   .first->second;
    container.due = absl::InfiniteDuration();
    Reschedule(uid, name, &container);
  }
  if (pod.containers.empty()) pods_.erase(uid);
}

void ProbeSchedule::Reschedule(const std::string& uid, const std::string& name,
                               Container* container) {
  if (container->due != absl::InfiniteDuration()) timers_.erase({container->due, uid, name});
  container->due = container->machine.NextDue();
  if (container->due != absl::InfiniteDuration()) timers_.insert({container->due, uid, name});
}

absl::Duration ProbeSchedule::NextDue() const {
  return timers_.empty() ? absl::InfiniteDuration() : std::get<0>(*timers_.begin());
}

std::vector<Firing> ProbeSchedule::TakeDue(absl::Duration now) {
  std::vector<Firing> firings;
  while (!timers_.empty() && std::get<0>(*timers_.begin()) <= now) {
    const auto [due, uid, name] = *timers_.begin();
    Container& container = pods_[uid].containers.at(name);
    for (const ProbeKind kind : container.machine.TakeDue(now)) {
      const ProbeSpec& spec = *std::as_const(container.machine).Find(kind);
      firings.push_back(
          {uid, name, container.machine.health().attempt, kind, spec.action, spec.timeout});
    }
    Reschedule(uid, name, &container);
  }
  return firings;
}

bool ProbeSchedule::Absorb(const Firing& firing, ProbeOutcome outcome, absl::Duration now) {
  const auto pod = pods_.find(firing.pod_uid);
  if (pod == pods_.end()) return false;
  const auto container = pod->second.containers.find(firing.container);
  const bool known = container != pod->second.containers.end() &&
                     container->second.machine.health().attempt == firing.attempt;
  if (!known) return false;
  const bool changed = container->second.machine.Absorb(firing.kind, outcome.verdict, now);
  Reschedule(firing.pod_uid, firing.container, &container->second);
  const bool reported = Report(&pod->second, firing, std::move(outcome), now);
  return changed || reported;
}

bool ProbeSchedule::Report(Pod* pod, const Firing& firing, ProbeOutcome outcome,
                           absl::Duration now) {
  const auto key = std::make_pair(firing.container, firing.kind);
  if (outcome.message.empty()) {
    // Whatever comes next is worth telling anew.
    pod->told.erase(key);
    return false;
  }
  const auto told = pod->told.find(key);
  const bool again = told != pod->told.end() && told->second.message == outcome.message &&
                     now < told->second.at + kTellAgain;
  if (again) return false;
  pod->told[key] = {outcome.message, now};
  const ProbeReport::What what = outcome.verdict == Verdict::kSuccess   ? ProbeReport::kWarned
                                 : outcome.verdict == Verdict::kFailure ? ProbeReport::kFailed
                                                                        : ProbeReport::kErrored;
  pod->reports.push_back({firing.container, firing.kind, what, std::move(outcome.message)});
  return true;
}

ProbeNews ProbeSchedule::TakeNews(const std::string& uid) {
  ProbeNews news;
  const auto pod = pods_.find(uid);
  if (pod == pods_.end()) return news;
  for (const auto& [name, container] : pod->second.containers) {
    news.health.push_back(container.machine.health());
  }
  news.reports.swap(pod->second.reports);
  return news;
}

}  // namespace cluster::node
