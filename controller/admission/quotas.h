// The ResourceQuotas of one namespace, and what of them is used. Pure.
#pragma once

#include <string>
#include <vector>

#include "controller/admission/quota_usage.h"
#include "controller/cache/view.h"

namespace cluster::controller {

class QuotaBook {
 public:
  // Counts everything in the namespace, where it has quotas at all.
  QuotaBook(const View& view, const std::string& name_space);

  bool empty() const { return quotas_.empty(); }
  size_t size() const { return quotas_.size(); }

  // Counts `after` in place of `before` (nullptr: it is new), unless that would be too much: then
  // nothing changes, and the answer says which quota it is, as Kubernetes does.
  std::string Admit(const v1::Object* before, const v1::Object& after);

  // A quota and what it is to say now, status and all.
  struct Updated {
    EntryPtr before;
    v1::Object after;
    bool counted = false;  // Admit has counted something in it
  };
  std::vector<Updated> Quotas() const;

 private:
  struct Quota {
    EntryPtr entry;
    QuotaAmounts hard;
    QuotaAmounts used;
    bool counted = false;
  };

  static std::string Refusal(const Quota& quota, const QuotaAmounts& more);

  std::vector<Quota> quotas_;  // ordered by name
};

}  // namespace cluster::controller
