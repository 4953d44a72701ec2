// Which taints a toleration is about.
#pragma once

#include "cluster/v1/node.pb.h"
#include "cluster/v1/pod.pb.h"

namespace cluster::controller {

inline bool Covers(const v1::Toleration& toleration, const v1::Taint& taint) {
  if (toleration.effect() != v1::TAINT_EFFECT_UNSPECIFIED &&
      toleration.effect() != taint.effect()) {
    return false;
  }
  const bool exists = toleration.operator_() == v1::TOLERATION_OPERATOR_EXISTS;
  if (toleration.key().empty()) return exists;
  if (toleration.key() != taint.key()) return false;
  return exists || toleration.value() == taint.value();
}

}  // namespace cluster::controller
