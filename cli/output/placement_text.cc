#include "cli/output/placement_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "proto/schema/kinds.h"

namespace cluster::cli {
namespace {

std::string RuleText(const v1::FailedRule& rule) {
  return rule.lacking().empty() ? rule.rule()
                                : absl::StrCat(rule.rule(), " (", rule.lacking(), " lacking)");
}

std::string ScoreText(const v1::NodeVerdict& node) {
  std::vector<std::string> parts;
  for (const v1::ScorePart& part : node.score()) {
    parts.push_back(absl::StrCat(part.name(), " ", part.value()));
  }
  return absl::StrJoin(parts, "; ");
}

std::string Pods(int count) { return absl::StrCat(count, count == 1 ? " pod" : " pods"); }

std::string PlacesText(const v1::PlannedPods& pods) {
  std::vector<std::string> places;
  for (const v1::PodsOnNode& each : pods.placed()) {
    places.push_back(absl::StrCat(each.count(), " on ", each.node()));
  }
  return absl::StrJoin(places, ", ");
}

void AddPods(const v1::PlannedPods& pods, std::string* text) {
  absl::StrAppend(text, OneLine(pods.workload()), " in ", pods.namespace_(), ":\n");
  int placed = 0;
  for (const v1::PodsOnNode& each : pods.placed()) placed += each.count();
  if (placed > 0) absl::StrAppend(text, "  starts ", Pods(placed), ": ", PlacesText(pods), "\n");
  if (pods.unplaced() > 0) {
    absl::StrAppend(text, "  starts ", Pods(pods.unplaced()),
                    " that would wait: ", OneLine(pods.reason()), "\n");
  }
  if (pods.restarted() > 0) {
    absl::StrAppend(text, "  restarts containers of ", Pods(pods.restarted()), "\n");
  }
  const int others = pods.ended() - pods.preempted();
  if (others > 0) absl::StrAppend(text, "  ends ", Pods(others), "\n");
  if (pods.preempted() > 0) {
    absl::StrAppend(text, "  ends ", Pods(pods.preempted()), " to make room for more priority\n");
  }
}

}  // namespace

std::string WhyText(absl::string_view pod, const v1::WhyResponse& why) {
  std::string text = absl::StrCat(pod, ": ", OneLine(why.summary()), "\n");
  for (const v1::NodeVerdict& node : why.nodes()) {
    absl::StrAppend(&text, "\n", node.node());
    if (node.failed().empty()) {
      absl::StrAppend(&text, node.node() == why.node() ? " (here)" : " (fits)", "\n");
      absl::StrAppend(&text, "  score: ", OneLine(ScoreText(node)), "\n");
      continue;
    }
    absl::StrAppend(&text, node.node() == why.node() ? " (here)" : "", "\n");
    for (const v1::FailedRule& rule : node.failed()) {
      absl::StrAppend(&text, "  ", OneLine(RuleText(rule)), "\n");
      if (!rule.remedy().empty()) {
        absl::StrAppend(&text, "    would help: ", OneLine(rule.remedy()), "\n");
      }
    }
  }
  return text;
}

std::vector<Cells> WhyRows(const v1::WhyResponse& why) {
  std::vector<Cells> rows;
  for (const v1::NodeVerdict& node : why.nodes()) {
    if (node.failed().empty()) {
      rows.push_back({node.node(), absl::StrCat("fits: ", ScoreText(node))});
    }
    for (const v1::FailedRule& rule : node.failed()) {
      rows.push_back({node.node(), RuleText(rule)});
    }
  }
  return rows;
}

absl::string_view OutcomeText(v1::ApplyOutcome outcome) {
  switch (outcome) {
    case v1::APPLY_OUTCOME_CREATED:
      return "created";
    case v1::APPLY_OUTCOME_CONFIGURED:
      return "configured";
    case v1::APPLY_OUTCOME_UNCHANGED:
      return "unchanged";
    case v1::APPLY_OUTCOME_UNSPECIFIED:
    case v1::ApplyOutcome_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::ApplyOutcome_INT_MAX_SENTINEL_DO_NOT_USE_:
      break;
  }
  return "sent";
}

std::string PlanText(const v1::PlanResponse& plan) {
  std::string text;
  for (const v1::PlannedObject& planned : plan.objects()) {
    absl::StrAppend(&text, DisplayName(planned.object()), " ", OutcomeText(planned.outcome()));
    if (!planned.changes().empty()) {
      absl::StrAppend(&text, ": ", absl::StrJoin(planned.changes(), ", "));
    }
    absl::StrAppend(&text, "\n");
  }
  if (plan.pods().empty()) {
    absl::StrAppend(&text, "No pod would be started, restarted or ended.\n");
  }
  for (const v1::PlannedPods& pods : plan.pods()) AddPods(pods, &text);
  return text;
}

std::vector<Cells> MoveRows(const v1::RebalanceResponse& moves) {
  std::vector<Cells> rows = {{"NAMESPACE", "POD", "FROM", "TO", "WHY"}};
  for (const v1::Move& move : moves.moves()) {
    const std::string held =
        move.held_back().empty() ? "" : absl::StrCat("; held back: ", move.held_back());
    rows.push_back(
        {move.namespace_(), move.pod(), move.from(), move.to(), absl::StrCat(move.reason(), held)});
  }
  return rows;
}

}  // namespace cluster::cli
