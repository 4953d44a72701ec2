#include "controller/session/node_registrar.h"

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "controller/object/object_fields.h"
#include "controller/session/status_merge.h"
#include "proto/schema/kinds.h"

namespace cluster::controller {
namespace {

constexpr int kMaxAttempts = 20;

store::Op Put(std::string key, std::string value) {
  return {store::Op::Kind::kPut, std::move(key), std::move(value), /*lease=*/0};
}

// What the agent knows of its machine, laid over what is stored.
void TakeFacts(const v1::Node& facts, v1::Node* node) {
  for (const auto& [name, value] : facts.metadata().labels()) {
    (*node->mutable_metadata()->mutable_labels())[name] = value;
  }
  (*node->mutable_metadata()->mutable_labels())["kubernetes.io/hostname"] = node->metadata().name();
  *node->mutable_status() = MergeNodeStatus(node->status(), facts.status());
}

}  // namespace

struct NodeRegistrar::Call {
  v1::Hello hello;
  Done done;
  int attempts = 0;
  v1::SessionRecord record;
  Registration registration;
};

NodeRegistrar::NodeRegistrar(store::Store* store, Strand* strand, const Clock* clock,
                             const View* view, PodRanges ranges, std::function<void()> look)
    : store_(store),
      strand_(strand),
      clock_(clock),
      view_(view),
      ranges_(std::move(ranges)),
      look_(std::move(look)) {}

absl::Status NodeRegistrar::Load() {
  ASSIGN_OR_RETURN(const store::Listing sessions, store_->List(kSessionPrefix));
  for (const store::Kv& kv : sessions.kvs) {
    Stored stored;
    if (!stored.record.ParseFromString(kv.value)) {
      return absl::DataLossError(absl::StrCat("the store's ", kv.key, " cannot be read"));
    }
    stored.mod_rev = kv.mod_rev;
    sessions_[kv.key.substr(sizeof(kSessionPrefix) - 1)] = std::move(stored);
  }
  ASSIGN_OR_RETURN(const store::Listing ranges, store_->List(kRangePrefix));
  for (const store::Kv& kv : ranges.kvs) {
    v1::PodRangeRecord record;
    auto range = ParseRange(kv.key.substr(sizeof(kRangePrefix) - 1));
    if (!range.ok() || !record.ParseFromString(kv.value)) {
      return absl::DataLossError(absl::StrCat("the store's ", kv.key, " cannot be read"));
    }
    ranges_.Take(record.node(), *range);
  }
  return absl::OkStatus();
}

int64_t NodeRegistrar::CurrentSession(const std::string& node) const {
  const auto found = sessions_.find(node);
  return found == sessions_.end() ? 0 : found->second.mod_rev;
}

const v1::SessionRecord* NodeRegistrar::Find(const std::string& node) const {
  const auto found = sessions_.find(node);
  return found == sessions_.end() ? nullptr : &found->second.record;
}

void NodeRegistrar::Register(v1::Hello hello, Done done) {
  auto call = std::make_shared<Call>();
  call->hello = std::move(hello);
  call->done = std::move(done);
  Attempt(std::move(call));
}

void NodeRegistrar::Attempt(std::shared_ptr<Call> call) {
  ++call->attempts;
  store::Txn txn;
  const absl::Status planned = Plan(call.get(), &txn);
  if (!planned.ok()) return call->done(planned);
  store_->Submit(std::move(txn), [this, call](store::SubmitResult result) {
    strand_->Post([this, call, result = std::move(result)] { OnResult(call, result); });
  });
}

absl::Status NodeRegistrar::Plan(Call* call, store::Txn* txn) {
  const std::string& node = call->hello.node();
  const v1::SessionRecord* before = Find(node);
  call->record.set_agent_instance(call->hello.agent_instance());
  call->record.set_boot_id(call->hello.boot_id());
  SetTime(clock_->Now(), call->record.mutable_attached_at());
  // An agent without a past starts its sequences anew.
  const bool continues = before != nullptr && call->hello.last_session() != 0;
  call->record.set_lineage(continues ? before->lineage() : store_->CurrentRev() + 1);
  const std::string key = absl::StrCat(kSessionPrefix, node);
  txn->conds.push_back({key, CurrentSession(node)});
  txn->ops.push_back(Put(key, call->record.SerializeAsString()));
  txn->write_id = RandomId();
  return PlanNode(call, txn);
}

absl::Status NodeRegistrar::PlanNode(Call* call, store::Txn* txn) {
  const std::string& name = call->hello.node();
  const EntryPtr before = view_->Find(v1::Object::kNode, "", name);
  v1::Object object = before == nullptr ? NewObject(*FindKind("Node")) : before->object;
  v1::Node* node = object.mutable_node();
  if (before == nullptr) {
    v1::ObjectMeta* meta = node->mutable_metadata();
    meta->set_name(name);
    meta->set_uid(DerivedUid(RandomId(), name));
    meta->set_generation(1);
    SetTime(clock_->Now(), meta->mutable_creation_timestamp());
  }
  ASSIGN_OR_RETURN(call->registration.pod_cidr, PlanRange(name, txn));
  node->mutable_spec()->set_pod_cidr(call->registration.pod_cidr);
  TakeFacts(call->hello.facts(), node);
  const std::string key = Key(object);
  const std::string value = SerializeObject(object);
  if (before != nullptr && value == SerializeObject(before->object)) return absl::OkStatus();
  txn->conds.push_back({key, before == nullptr ? 0 : before->mod_rev});
  txn->ops.push_back(Put(key, value));
  return absl::OkStatus();
}

absl::StatusOr<std::string> NodeRegistrar::PlanRange(const std::string& node, store::Txn* txn) {
  std::string range = ranges_.Find(node);
  if (!range.empty() && !unrecorded_.contains(node)) return range;
  if (range.empty()) {
    ASSIGN_OR_RETURN(const Range free, ranges_.FindFree());
    // Taken at once, so that two nodes that come at the same time do not meet.
    ranges_.Take(node, free);
    unrecorded_.insert(node);
    range = free.ToString();
  }
  v1::PodRangeRecord record;
  record.set_node(node);
  const std::string key = absl::StrCat(kRangePrefix, range);
  txn->conds.push_back({key, 0});
  txn->ops.push_back(Put(key, record.SerializeAsString()));
  return range;
}

void NodeRegistrar::OnResult(std::shared_ptr<Call> call, const store::SubmitResult& result) {
  if (result.status.ok()) {
    sessions_[call->hello.node()] = {call->record, result.commit.rev};
    unrecorded_.erase(call->hello.node());
    call->registration.session = result.commit.rev;
    call->registration.lineage = call->record.lineage();
    return AwaitView(call, result.commit.rev);
  }
  const absl::Status read = Reread(call->hello.node());
  if (!read.ok()) return call->done(read);
  if (absl::IsAborted(result.status) && call->attempts < kMaxAttempts) {
    call->registration.session = 0;
    return AwaitView(call, store_->CurrentRev());
  }
  call->done(absl::IsAborted(result.status)
                 ? absl::UnavailableError("the node's record is changing too often: try again")
                 : result.status);
}

absl::Status NodeRegistrar::Reread(const std::string& node) {
  const std::string key = absl::StrCat(kSessionPrefix, node);
  ASSIGN_OR_RETURN(const store::Listing sessions, store_->List(key));
  for (const store::Kv& kv : sessions.kvs) {
    if (kv.key != key) continue;
    Stored stored;
    if (!stored.record.ParseFromString(kv.value)) {
      return absl::DataLossError(absl::StrCat("the store's ", kv.key, " cannot be read"));
    }
    stored.mod_rev = kv.mod_rev;
    sessions_[node] = std::move(stored);
  }
  if (!unrecorded_.contains(node)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const store::Listing ranges,
                   store_->List(absl::StrCat(kRangePrefix, ranges_.Find(node))));
  if (!ranges.kvs.empty()) unrecorded_.erase(node);
  return absl::OkStatus();
}

void NodeRegistrar::AwaitView(std::shared_ptr<Call> call, store::Rev rev) {
  look_();
  if (view_->revision() < rev) {
    strand_->PostAfter(absl::Milliseconds(1), [this, call, rev] { AwaitView(call, rev); });
    return;
  }
  if (call->registration.session == 0) return Attempt(call);
  call->done(call->registration);
}

}  // namespace cluster::controller
