#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/output/placement_text.h"
#include "cli/output/table.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

struct RebalanceFlags {
  bool plan = false;
  bool apply = false;
  int32_t most = 0;
};

// A budget that was used up meanwhile holds a move back; the others go on.
absl::Status MakeMoves(Session& session, Client& client, const v1::RebalanceResponse& plan) {
  int held_back = 0;
  for (const v1::Move& move : plan.moves()) {
    if (!move.held_back().empty()) {
      ++held_back;
      continue;
    }
    v1::EvictRequest request;
    request.set_namespace_(move.namespace_());
    request.set_pod(move.pod());
    request.set_uid(move.uid());
    const absl::Status status = client.Evict(request).status();
    if (absl::IsResourceExhausted(status)) {
      ++held_back;
      session.err() << "pod/" << move.pod() << " stays: " << status.message() << "\n";
      continue;
    }
    if (absl::IsNotFound(status) || absl::IsAborted(status)) continue;
    RETURN_IF_ERROR(status);
    session.out() << "pod/" << move.pod() << " evicted\n";
    session.out().flush();
  }
  if (held_back > 0) {
    session.out() << held_back << (held_back == 1 ? " move was" : " moves were")
                  << " held back; run this again once the others are ready\n";
  }
  return absl::OkStatus();
}

absl::Status Rebalance(Session& session, const RebalanceFlags& flags) {
  if (flags.plan == flags.apply) {
    return UsageError("give --plan to see the moves, or --apply to make them");
  }
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  v1::RebalanceRequest request;
  request.set_namespace_(session.flags().name_space);
  request.set_max_moves(flags.most);
  ASSIGN_OR_RETURN(const v1::RebalanceResponse plan, client->Rebalance(request));
  if (plan.moves().empty()) {
    session.out() << "No pod would be better off elsewhere.\n";
    return absl::OkStatus();
  }
  Table(session.out()).Print(MoveRows(plan));
  session.out().flush();
  return flags.apply ? MakeMoves(session, *client, plan) : absl::OkStatus();
}

}  // namespace

void AddRebalance(CLI::App& app, Session& session) {
  CLI::App* command =
      AddCommand(app, "rebalance", "Moves pods to where they are better off by now, within budgets",
                 "clusterctl rebalance --plan\nclusterctl rebalance --apply -n shop --max-moves 5");
  auto flags = std::make_shared<RebalanceFlags>();
  command->add_flag("--plan", flags->plan, "Show the moves, make none");
  command->add_flag("--apply", flags->apply, "Show the moves, then evict the pods");
  command->add_option("--max-moves", flags->most, "At most so many; 0: all");
  session.OnCommand(command, [&session, flags] { return Rebalance(session, *flags); });
}

}  // namespace cluster::cli
