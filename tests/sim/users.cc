#include "tests/sim/users.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "controller/api/apply.h"
#include "controller/api/edits.h"
#include "controller/api/eviction.h"
#include "controller/api/lookup.h"
#include "controller/api/removal.h"
#include "proto/schema/kinds.h"

namespace cluster::sim {
namespace {

constexpr int kPatience = 6;  // tries
constexpr Nanos kAnswerTime = 5 * kSecond;

template <typename Planned>
absl::StatusOr<store::Txn> TxnOf(absl::StatusOr<Planned> planned) {
  if (!planned.ok()) return planned.status();
  return std::move(planned->txn);
}

absl::StatusOr<store::Txn> PlanOf(Controller* controller, const v1::ApplyRequest& request,
                                  const std::string& write_id) {
  // One plan at a time here: what is reserved for services need not outlive it.
  controller::AddressBook addresses(controller->cache(), {});
  return TxnOf(controller::PlanApply(*controller->cache(), &addresses, request, write_id,
                                     controller->clock()->Now()));
}

}  // namespace

struct Users::Call {
  std::string what;
  std::string write_id;
  Plan plan;
  int tries = 0;
  bool again = false;
  bool wrote = false;
  bool over = false;
};

void Users::Ask(const std::string& what, Plan plan, bool again) {
  auto call = std::make_shared<Call>();
  call->again = again;
  call->what = what;
  call->plan = std::move(plan);
  for (int i = 0; i < 16; ++i) {
    call->write_id += static_cast<char>(world_->random()->Below(256));
  }
  world_->Asked(call->write_id, what);
  world_->Tell(absl::StrCat("user: ", what));
  Send(std::move(call));
}

void Users::Send(std::shared_ptr<Call> call) {
  if (call->over || ++call->tries > kPatience) return;
  World* const world = world_;
  // Not answered in time, or nobody there: the same again.
  world->time()->At(world->now() + kAnswerTime, nullptr, [this, call] { Send(call); });
  if (world->controller() == nullptr) return;
  const Nanos there = world->now() + static_cast<Nanos>(world->random()->Below(kMillisecond));
  world->controller_process()->Run(there, [world, call] {
    Controller* const controller = world->controller();
    const auto plan = [call, controller] {
      absl::StatusOr<store::Txn> txn = call->plan(controller, call->write_id);
      call->wrote = txn.ok() && !txn->ops.empty();
      return txn;
    };
    const auto done = [world, call](const absl::Status& status, store::Rev rev) {
      if (call->over) return;
      // Some answers are lost on their way.
      if (world->random()->Chance(0.02)) return;
      call->over = !absl::IsUnavailable(status) && !absl::IsUnknown(status) &&
                   !absl::IsResourceExhausted(status) && !(call->again && absl::IsAborted(status));
      if (!call->over) return;
      world->Tell(absl::StrCat("user: ", call->what, " -> ", status.ToString()));
      world->Answered({call->write_id, call->what, status.ok(), call->wrote, rev});
    };
    controller->writer()->Write(call->write_id, plan, done);
  });
}

void Users::Apply(v1::Object object) {
  const std::string what = absl::StrCat("apply ", DisplayName(object));
  auto request = std::make_shared<v1::ApplyRequest>();
  *request->add_objects() = std::move(object);
  Ask(what, [request](Controller* controller, const std::string& write_id) {
    return PlanOf(controller, *request, write_id);
  });
}

void Users::Change(const std::string& kind, const std::string& name, const std::string& what,
                   std::function<void(v1::Object*)> change) {
  const bool namespaced = FindKind(kind)->namespaced;
  const auto plan = [kind, name, namespaced, change = std::move(change)](
                        Controller* controller,
                        const std::string& write_id) -> absl::StatusOr<store::Txn> {
    ASSIGN_OR_RETURN(
        const EntryPtr entry,
        controller::FindObject(*controller->cache(), kind, namespaced ? "default" : "", name));
    v1::ApplyRequest request;
    *request.add_objects() = entry->object;
    MutableMeta(request.mutable_objects(0))->set_resource_version(absl::StrCat(entry->mod_rev));
    change(request.mutable_objects(0));
    return PlanOf(controller, request, write_id);
  };
  Ask(absl::StrCat(what, " ", kind, " ", name), plan, true);
}

void Users::Rollout(const std::string& name, v1::RolloutAction action) {
  v1::RolloutRequest request;
  request.set_kind("Deployment");
  request.set_namespace_("default");
  request.set_name(name);
  request.set_action(action);
  Ask(absl::StrCat(action == v1::ROLLOUT_ACTION_PAUSE    ? "pause "
                   : action == v1::ROLLOUT_ACTION_RESUME ? "resume "
                                                         : "restart ",
                   name),
      [request](Controller* controller, const std::string&) {
        return TxnOf(
            controller::PlanRolloutEdit(*controller->cache(), request, controller->clock()->Now()));
      });
}

void Users::Delete(const std::string& kind, const std::string& name, std::optional<int64_t> grace) {
  v1::DeleteRequest request;
  request.set_kind(kind);
  if (FindKind(kind)->namespaced) request.set_namespace_("default");
  request.set_name(name);
  if (grace.has_value()) request.set_grace_period_seconds(*grace);
  Ask(absl::StrCat("delete ", kind, " ", name),
      [request](Controller* controller, const std::string&) {
        return TxnOf(
            controller::PlanRemoval(*controller->cache(), request, controller->clock()->Now()));
      });
}

void Users::Scale(const std::string& kind, const std::string& name, int replicas) {
  v1::ScaleRequest request;
  request.set_kind(kind);
  request.set_namespace_("default");
  request.set_name(name);
  request.set_replicas(replicas);
  Ask(absl::StrCat("scale ", kind, " ", name, " to ", replicas),
      [request](Controller* controller, const std::string&) {
        return TxnOf(controller::PlanScale(*controller->cache(), request));
      });
}

void Users::Undo(const std::string& kind, const std::string& name) {
  v1::UndoRequest request;
  request.set_kind(kind);
  request.set_namespace_("default");
  request.set_name(name);
  Ask(absl::StrCat("undo ", kind, " ", name),
      [request](Controller* controller, const std::string&) -> absl::StatusOr<store::Txn> {
        auto planned = controller::PlanUndoEdit(*controller->cache(), request);
        if (!planned.ok()) return planned.status();
        return std::move(planned->edit.txn);
      });
}

void Users::Evict(const std::string& pod) {
  v1::EvictRequest request;
  request.set_namespace_("default");
  request.set_pod(pod);
  Ask(absl::StrCat("evict ", pod), [request](Controller* controller, const std::string&) {
    return TxnOf(
        controller::PlanEviction(*controller->cache(), request, controller->clock()->Now()));
  });
}

void Users::Cordon(const std::string& node, bool unschedulable) {
  v1::CordonRequest request;
  request.set_node(node);
  request.set_unschedulable(unschedulable);
  Ask(absl::StrCat(unschedulable ? "cordon " : "uncordon ", node),
      [request](Controller* controller, const std::string&) {
        return TxnOf(controller::PlanCordon(*controller->cache(), request));
      });
}

}  // namespace cluster::sim
