// Objects for tests, said as the domain says them: Deployment("web").Replicas(3).
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "cluster/v1/object.pb.h"
#include "proto/schema/kinds.h"

namespace cluster::domain {

// Pod specs, shared by the builders of pods and of what has a template.
template <typename Self>
class PodSpecWords {
 public:
  Self& Image(const std::string& image) {
    self().spec()->mutable_containers(0)->set_image(image);
    return self();
  }
  Self& Cpu(const std::string& request) { return Request("cpu", request); }
  Self& Memory(const std::string& request) { return Request("memory", request); }
  Self& Request(const std::string& resource, const std::string& amount) {
    auto& requests = *self().spec()->mutable_containers(0)->mutable_resources()->mutable_requests();
    requests[resource] = amount;
    return self();
  }
  Self& Limit(const std::string& resource, const std::string& amount) {
    auto& limits = *self().spec()->mutable_containers(0)->mutable_resources()->mutable_limits();
    limits[resource] = amount;
    return self();
  }
  Self& HostPort(int port, v1::Protocol protocol = v1::PROTOCOL_TCP, const std::string& ip = "") {
    auto* added = self().spec()->mutable_containers(0)->add_ports();
    added->set_container_port(port);
    added->set_host_port(port);
    added->set_protocol(protocol);
    added->set_host_ip(ip);
    return self();
  }
  Self& OnNodesWith(const std::string& key, const std::string& value) {
    (*self().spec()->mutable_node_selector())[key] = value;
    return self();
  }
  Self& Tolerates(const std::string& key, const std::string& value, v1::TaintEffect effect) {
    auto* toleration = self().spec()->add_tolerations();
    toleration->set_key(key);
    toleration->set_value(value);
    toleration->set_operator_(v1::TOLERATION_OPERATOR_EQUAL);
    toleration->set_effect(effect);
    return self();
  }
  Self& ToleratesAny(const std::string& key) {
    auto* toleration = self().spec()->add_tolerations();
    toleration->set_key(key);
    toleration->set_operator_(v1::TOLERATION_OPERATOR_EXISTS);
    return self();
  }
  // A volume of that claim.
  Self& Claims(const std::string& claim) {
    v1::Volume* volume = self().spec()->add_volumes();
    volume->set_name("volume-of-" + claim);
    volume->mutable_persistent_volume_claim()->set_claim_name(claim);
    return self();
  }
  Self& Priority(int priority) {
    self().spec()->set_priority(priority);
    return self();
  }
  // Any further words, such as those of placing.h.
  Self& With(const std::function<void(v1::PodSpec*)>& words) {
    words(self().spec());
    return self();
  }
  Self& Grace(int seconds) {
    self().spec()->set_termination_grace_period_seconds(seconds);
    return self();
  }

 private:
  Self& self() { return static_cast<Self&>(*this); }
};

// What every object has.
template <typename Self>
class MetaWords {
 public:
  Self& In(const std::string& name_space) {
    self().meta()->set_namespace_(name_space);
    return self();
  }
  Self& Uid(const std::string& uid) {
    self().meta()->set_uid(uid);
    return self();
  }
  Self& Label(const std::string& key, const std::string& value) {
    (*self().meta()->mutable_labels())[key] = value;
    return self();
  }
  Self& Annotation(const std::string& key, const std::string& value) {
    (*self().meta()->mutable_annotations())[key] = value;
    return self();
  }
  Self& CreatedAt(int64_t seconds) {
    self().meta()->mutable_creation_timestamp()->set_seconds(seconds);
    return self();
  }
  Self& Deleting(int64_t seconds = 1) {
    self().meta()->mutable_deletion_timestamp()->set_seconds(seconds);
    return self();
  }
  Self& Finalizer(const std::string& name) {
    self().meta()->add_finalizers(name);
    return self();
  }
  Self& OwnedBy(const v1::Object& owner) {
    const v1::ObjectMeta& meta = Meta(owner);
    auto* reference = self().meta()->add_owner_references();
    reference->set_api_version(KindOf(owner).api_version);
    reference->set_kind(KindOf(owner).name);
    reference->set_name(meta.name());
    reference->set_uid(meta.uid());
    reference->set_controller(true);
    reference->set_block_owner_deletion(true);
    return self();
  }

 private:
  Self& self() { return static_cast<Self&>(*this); }
};

// `get` builds; it also converts by itself where an Object is wanted.
template <typename Message>
class Builder {
 public:
  v1::Object get() const { return Wrap(message_); }
  operator v1::Object() const { return get(); }
  v1::ObjectMeta* meta() { return message_.mutable_metadata(); }
  Message& message() { return message_; }

 protected:
  Message message_;
};

class Pod : public Builder<v1::Pod>, public PodSpecWords<Pod>, public MetaWords<Pod> {
 public:
  explicit Pod(const std::string& name);
  v1::PodSpec* spec() { return message_.mutable_spec(); }
  Pod& On(const std::string& node);
  Pod& Phase(v1::PodPhase phase);
  // Running, with the condition Ready true.
  Pod& Ready();
};

class ReplicaSet : public Builder<v1::ReplicaSet>,
                   public PodSpecWords<ReplicaSet>,
                   public MetaWords<ReplicaSet> {
 public:
  // Selects and labels its pods app=NAME.
  explicit ReplicaSet(const std::string& name);
  v1::PodSpec* spec() { return message_.mutable_spec()->mutable_template_()->mutable_spec(); }
  ReplicaSet& Replicas(int replicas);
};

class Deployment : public Builder<v1::Deployment>,
                   public PodSpecWords<Deployment>,
                   public MetaWords<Deployment> {
 public:
  // RollingUpdate with 25 %, selects and labels its pods app=NAME.
  explicit Deployment(const std::string& name);
  v1::PodSpec* spec() { return message_.mutable_spec()->mutable_template_()->mutable_spec(); }
  Deployment& Replicas(int replicas);
  Deployment& Surge(const std::string& surge, const std::string& unavailable);
  Deployment& Recreate();
  Deployment& History(int limit);
};

class StatefulSet : public Builder<v1::StatefulSet>,
                    public PodSpecWords<StatefulSet>,
                    public MetaWords<StatefulSet> {
 public:
  // OrderedReady, RollingUpdate without partition, selects and labels its pods app=NAME.
  explicit StatefulSet(const std::string& name);
  v1::PodSpec* spec() { return message_.mutable_spec()->mutable_template_()->mutable_spec(); }
  StatefulSet& Replicas(int replicas);
  StatefulSet& Start(int ordinal);
  StatefulSet& Parallel();
  StatefulSet& OnDelete();
  StatefulSet& Partition(int partition);
  StatefulSet& MaxUnavailable(const std::string& pods);
  StatefulSet& MinReady(int seconds);
  StatefulSet& History(int limit);
  // A claim of that name per pod.
  StatefulSet& ClaimPerPod(const std::string& name);
  StatefulSet& Retain(v1::ClaimRetention when_deleted, v1::ClaimRetention when_scaled);
};

class DaemonSet : public Builder<v1::DaemonSet>,
                  public PodSpecWords<DaemonSet>,
                  public MetaWords<DaemonSet> {
 public:
  // RollingUpdate, one node at a time, selects and labels its pods app=NAME.
  explicit DaemonSet(const std::string& name);
  v1::PodSpec* spec() { return message_.mutable_spec()->mutable_template_()->mutable_spec(); }
  DaemonSet& Rolling(const std::string& surge, const std::string& unavailable);
  DaemonSet& OnDelete();
  DaemonSet& MinReady(int seconds);
  DaemonSet& History(int limit);
};

class Node : public Builder<v1::Node>, public MetaWords<Node> {
 public:
  // Ready; 4 cpus, 8Gi, 110 pods.
  explicit Node(const std::string& name);
  Node& Allocatable(const std::string& cpu, const std::string& memory, int pods = 110);
  Node& Tainted(const std::string& key, const std::string& value, v1::TaintEffect effect);
  Node& Cordoned();
  Node& NotReady();
};

class Claim : public MetaWords<Claim> {
 public:
  // ReadWriteOnce, 1Gi, pending and guarded.
  explicit Claim(const std::string& name);
  Claim& Mode(v1::AccessMode mode);
  Claim& Asks(const std::string& storage);
  Claim& BoundTo(const std::string& node);
  v1::PersistentVolumeClaim* claim() { return object_.mutable_persistent_volume_claim(); }
  v1::ObjectMeta* meta() { return claim()->mutable_metadata(); }
  v1::Object get() const { return object_; }
  operator v1::Object() const { return object_; }

 private:
  v1::Object object_;
};

class Namespace : public Builder<v1::Namespace>, public MetaWords<Namespace> {
 public:
  explicit Namespace(const std::string& name);
};

class Event : public Builder<v1::Event>, public MetaWords<Event> {
 public:
  Event(const std::string& name, int64_t last_seen);
};

}  // namespace cluster::domain
