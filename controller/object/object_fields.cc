#include "controller/object/object_fields.h"

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "proto/schema/kinds.h"

namespace cluster::controller {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

const FieldDescriptor* Field(const Message& message, const char* name) {
  return message.GetDescriptor()->FindFieldByName(name);
}

// SHA-256 over both, told apart by their lengths.
std::string Hash(absl::string_view seed, absl::string_view what) {
  const std::string text = absl::StrCat(seed.size(), ":", seed, what);
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

bool BelongsToControllers(absl::string_view annotation) {
  const absl::string_view domain = annotation.substr(0, annotation.find('/'));
  return domain.size() < annotation.size() &&
         (absl::EndsWith(domain, ".kubernetes.io") || absl::EndsWith(domain, ".cluster.v1"));
}

}  // namespace

void SetTime(absl::Time time, google::protobuf::Timestamp* timestamp) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  timestamp->set_seconds(seconds);
  timestamp->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

absl::Time GetTime(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

void ClearStatus(v1::Object* object) {
  Message* inner = MutableInner(object);
  const FieldDescriptor* status = Field(*inner, "status");
  if (status != nullptr) inner->GetReflection()->ClearField(inner, status);
}

void CopyStatus(const v1::Object& from, v1::Object* to) {
  const Message& source = Inner(from);
  Message* target = MutableInner(to);
  const FieldDescriptor* status = Field(source, "status");
  if (status == nullptr || !source.GetReflection()->HasField(source, status)) return;
  target->GetReflection()
      ->MutableMessage(target, status)
      ->CopyFrom(source.GetReflection()->GetMessage(source, status));
}

bool SpecChanged(const v1::Object& before, const v1::Object& after) {
  const Message& old_inner = Inner(before);
  const Message& new_inner = Inner(after);
  const FieldDescriptor* spec = Field(old_inner, "spec");
  if (spec == nullptr) return false;
  return !MessageDifferencer::Equals(old_inner.GetReflection()->GetMessage(old_inner, spec),
                                     new_inner.GetReflection()->GetMessage(new_inner, spec));
}

namespace {

// The same taint counts from when it was first there.
void KeepTaintTimes(const v1::NodeSpec& before, v1::NodeSpec* after) {
  for (v1::Taint& taint : *after->mutable_taints()) {
    if (taint.has_time_added()) continue;
    for (const v1::Taint& old : before.taints()) {
      if (old.key() != taint.key() || old.value() != taint.value() ||
          old.effect() != taint.effect() || !old.has_time_added()) {
        continue;
      }
      *taint.mutable_time_added() = old.time_added();
    }
  }
}

// As it was computed when the pod was made.
void KeepPriority(const v1::PodSpec& before, v1::PodSpec* after) {
  if (after->priority_class_name().empty()) {
    after->set_priority_class_name(before.priority_class_name());
  }
  if (!after->has_priority() && before.has_priority()) after->set_priority(before.priority());
  if (after->preemption_policy() == v1::PREEMPTION_POLICY_UNSPECIFIED) {
    after->set_preemption_policy(before.preemption_policy());
  }
}

}  // namespace

void KeepSystemSpec(const v1::Object& before, v1::Object* after) {
  if (before.has_node()) {
    KeepTaintTimes(before.node().spec(), after->mutable_node()->mutable_spec());
    if (before.node().spec().pod_cidr().empty()) return;
    after->mutable_node()->mutable_spec()->set_pod_cidr(before.node().spec().pod_cidr());
  } else if (before.has_pod()) {
    v1::PodSpec* spec = after->mutable_pod()->mutable_spec();
    if (spec->node_name().empty()) spec->set_node_name(before.pod().spec().node_name());
    KeepPriority(before.pod().spec(), spec);
    // They came over a call of their own; no manifest has to know of them.
    if (spec->ephemeral_containers().empty()) {
      *spec->mutable_ephemeral_containers() = before.pod().spec().ephemeral_containers();
    }
  }
}

void KeepUndeclared(const v1::Object& before, v1::Object* after) {
  if (before.has_deployment() && !after->deployment().spec().has_replicas()) {
    after->mutable_deployment()->mutable_spec()->set_replicas(
        before.deployment().spec().replicas());
  } else if (before.has_replica_set() && !after->replica_set().spec().has_replicas()) {
    after->mutable_replica_set()->mutable_spec()->set_replicas(
        before.replica_set().spec().replicas());
  }
  if (before.has_stateful_set() && !after->stateful_set().spec().has_replicas()) {
    after->mutable_stateful_set()->mutable_spec()->set_replicas(
        before.stateful_set().spec().replicas());
  }
  const v1::ObjectMeta& old = Meta(before);
  v1::ObjectMeta* meta = MutableMeta(after);
  if (meta->owner_references().empty()) {
    *meta->mutable_owner_references() = old.owner_references();
  }
  if (meta->finalizers().empty()) *meta->mutable_finalizers() = old.finalizers();
  // Its agent says most of them, and says them once.
  if (before.has_node()) {
    for (const auto& [name, value] : old.labels()) meta->mutable_labels()->insert({name, value});
  }
  for (const auto& [name, value] : old.annotations()) {
    if (BelongsToControllers(name)) meta->mutable_annotations()->insert({name, value});
  }
}

std::string DerivedUid(absl::string_view seed, absl::string_view what) {
  std::string bytes = Hash(seed, absl::StrCat("uid ", what)).substr(0, 16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  const std::string hex = absl::BytesToHexString(bytes);
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-",
                      hex.substr(16, 4), "-", hex.substr(20));
}

std::string DerivedSuffix(absl::string_view seed, absl::string_view what) {
  static constexpr absl::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
  const std::string bytes = Hash(seed, what);
  std::string suffix;
  for (size_t i = 0; i < 5; ++i) {
    suffix += kLetters[static_cast<unsigned char>(bytes[i]) % kLetters.size()];
  }
  return suffix;
}

std::string RandomId() {
  std::string id(16, '\0');
  // Only fails when the kernel's generator cannot be read, and then nothing here is safe.
  if (RAND_bytes(reinterpret_cast<unsigned char*>(id.data()), 16) != 1) abort();
  return id;
}

bool NodeIsReady(const v1::Node& node) {
  for (const v1::Condition& condition : node.status().conditions()) {
    if (condition.type() == "Ready") return condition.status() == v1::CONDITION_STATUS_TRUE;
  }
  return false;
}

}  // namespace cluster::controller
