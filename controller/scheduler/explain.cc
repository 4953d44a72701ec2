#include "controller/scheduler/explain.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "controller/object/node_match.h"
#include "controller/scheduler/neighbours.h"

namespace cluster::controller {
namespace {

struct Judged {
  NodeVerdict verdict;
  Score score;
};

// In words what the sum is made of, where it is made of anything.
std::string PreferencesText(const PodShape& shape, const ClusterState& state, int node) {
  const int64_t by_node =
      NodePreference(shape.spec(), state.nodes()[static_cast<size_t>(node)].node());
  const int64_t by_spread = SpreadPreference(shape, state.terms(), node, Scope::kAll);
  const int64_t by_pods = NeighbourPreference(shape, state.terms(), node, Scope::kAll) - by_spread;
  if (by_node == 0 && by_spread == 0 && by_pods == 0) return "preferences";
  return absl::StrCat("preferences (node affinity ", by_node, ", pod affinity ", by_pods,
                      ", topology spread ", by_spread, ")");
}

Judged Judge(const PodShape& shape, const PodNeeds& needs, const ClusterState& state, int node,
             Strategy strategy) {
  const NodeUsage& usage = state.nodes()[static_cast<size_t>(node)];
  Judged judged;
  judged.verdict.node = usage.name();
  judged.verdict.rejections = Rejections(needs, usage);
  if (usage.ready) {
    AddNeighbourRejections(shape, state.terms(), node, &judged.verdict.rejections);
  }
  if (!judged.verdict.rejections.empty()) return judged;
  judged.score =
      ScoreOf({&shape, &needs.request, &state, strategy}, node, /*with_wide_places=*/true);
  judged.verdict.score = PartsOf(judged.score, shape, state, strategy);
  return judged;
}

std::string WhyItWon(const std::string& node, const std::vector<NodeVerdict>& nodes) {
  const auto own = std::find_if(nodes.begin(), nodes.end(),
                                [&node](const NodeVerdict& each) { return each.node == node; });
  const bool fits = own != nodes.end() && own->rejections.empty();
  if (!fits) {
    const std::string why = own == nodes.end() ? "the node is gone" : own->rejections[0].Text();
    return absl::StrCat("It runs on ", node, ", where it could not be placed today: ", why, ".");
  }
  if (own != nodes.begin()) {
    return absl::StrCat("It runs on ", node, "; today ", nodes[0].node, " would win, ahead by ",
                        LeadOf(nodes[0].score, own->score), ".");
  }
  if (nodes.size() < 2 || !nodes[1].rejections.empty()) {
    return absl::StrCat(node, " is the only node that fits.");
  }
  return absl::StrCat(node, " won: it is ahead of ", nodes[1].node, " by ",
                      LeadOf(own->score, nodes[1].score), ".");
}

std::string WhyItWaits(const PodVerdict& verdict, const std::vector<NodeUsage>& usages,
                       const std::vector<std::vector<Rejection>>& rejections) {
  if (!verdict.nominated.empty()) {
    return absl::StrCat("It waits for pods of less priority to end on ", verdict.nominated, ".");
  }
  const bool fits = !verdict.nodes.empty() && verdict.nodes[0].rejections.empty();
  if (fits) return absl::StrCat("It fits on ", verdict.nodes[0].node, " and is about to go there.");
  return Summarize(usages, rejections);
}

}  // namespace

std::vector<ScorePart> PartsOf(const Score& score, const PodShape& shape, const ClusterState& state,
                               Strategy strategy) {
  std::vector<ScorePart> parts;
  parts.push_back({"taints that it would rather avoid", -int64_t{score.unwelcome}});
  parts.push_back({PreferencesText(shape, state, score.node), -score.dislike});
  if (strategy == Strategy::kSpread) {
    parts.push_back({"spread of the workload", -int64_t{score.spread}});
  }
  parts.push_back({strategy == Strategy::kSpread ? "free room and images" : "taken room and images",
                   -score.allocated});
  return parts;
}

std::string LeadOf(const std::vector<ScorePart>& winner, const std::vector<ScorePart>& other) {
  for (size_t i = 0; i < winner.size() && i < other.size(); ++i) {
    if (winner[i].value == other[i].value) continue;
    return absl::StrCat(winner[i].name, " (", winner[i].value, " against ", other[i].value, ")");
  }
  return "name alone";
}

PodVerdict ExplainPod(const View& view, const EntryPtr& pod, const SchedulerOptions& options) {
  ClusterState state(view);
  const ClaimUsage claims(view);
  PodRecord* record = state.Find(pod->key);
  if (record == nullptr) record = state.Guest(pod);
  if (record->node != kNowhere) state.Displace(record);
  const PodShape& shape = *record->shape;
  const PodNeeds needs{&shape.spec(), record->request(), shape.owner, shape.claims, &claims};
  std::vector<Judged> judged;
  std::vector<std::vector<Rejection>> rejections;
  for (size_t i = 0; i < state.nodes().size(); ++i) {
    judged.push_back(Judge(shape, needs, state, static_cast<int>(i), options.strategy));
    rejections.push_back(judged.back().verdict.rejections);
  }
  std::stable_sort(judged.begin(), judged.end(), [](const Judged& a, const Judged& b) {
    const bool a_fits = a.verdict.rejections.empty();
    const bool b_fits = b.verdict.rejections.empty();
    return a_fits != b_fits ? a_fits : a_fits && a.score < b.score;
  });
  PodVerdict verdict;
  verdict.node = pod->object.pod().spec().node_name();
  verdict.nominated = pod->object.pod().status().nominated_node_name();
  for (Judged& each : judged) verdict.nodes.push_back(std::move(each.verdict));
  verdict.summary = verdict.node.empty() ? WhyItWaits(verdict, state.nodes(), rejections)
                                         : WhyItWon(verdict.node, verdict.nodes);
  return verdict;
}

}  // namespace cluster::controller
