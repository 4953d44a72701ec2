// Priority classes: what a pod's class makes of its spec when it is created. Pure.
#pragma once

#include <map>
#include <string>

#include "cluster/v1/object.pb.h"
#include "controller/cache/view.h"

namespace cluster::controller {

// The classes of a view, and those that every cluster has whether they are stored or not.
class PriorityClasses {
 public:
  explicit PriorityClasses(const View& view);
  // Another one, or another state of one.
  void Put(const v1::PriorityClass& priority_class);

  // Sets priority and preemptionPolicy, and the name of the default class where the pod names none.
  // What is wrong, as one sentence, with the field that is to blame; "" = nothing.
  struct Problem {
    std::string field;  // "priorityClassName"
    std::string message;
  };
  Problem Admit(v1::PodSpec* spec) const;

  // The class of pods that name none, other than `name`; "" = none.
  std::string OtherDefault(const std::string& name) const;

 private:
  std::map<std::string, v1::PriorityClass> classes_;
};

}  // namespace cluster::controller
