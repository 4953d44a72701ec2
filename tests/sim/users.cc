#include "tests/sim/users.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "controller/api/apply.h"
#include "controller/api/edits.h"
#include "controller/api/eviction.h"
#include "controller/api/removal.h"

namespace cluster::sim {
namespace {

constexpr int kPatience = 6;  // tries
constexpr Nanos kAnswerTime = 5 * kSecond;

template <typename Planned>
absl::StatusOr<store::Txn> TxnOf(absl::StatusOr<Planned> planned) {
  if (!planned.ok()) return planned.status();
  return std::move(planned->txn);
}

}  // namespace

struct Users::Call {
  std::string what;
  std::string write_id;
  Plan plan;
  int tries = 0;
  bool wrote = false;
  bool over = false;
};

void Users::Ask(const std::string& what, Plan plan) {
  auto call = std::make_shared<Call>();
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
                   !absl::IsResourceExhausted(status);
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
    // Users of this world make no services: what is reserved for them need not outlive the plan.
    controller::AddressBook addresses(controller->cache(), {});
    return TxnOf(controller::PlanApply(*controller->cache(), &addresses, *request, write_id,
                                       controller->clock()->Now()));
  });
}

void Users::Delete(const std::string& kind, const std::string& name, std::optional<int64_t> grace) {
  v1::DeleteRequest request;
  request.set_kind(kind);
  request.set_namespace_("default");
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
