// A store in memory that holds a View and commits Changes as the real one does: in order, each
// write only at its expected revision.
#pragma once

#include <string>
#include <vector>

#include "controller/cache/view.h"
#include "controller/reconcile/changes.h"

namespace cluster::domain {

class World {
 public:
  const View& view() const { return view_; }

  // Creates or replaces, whatever is there.
  void Put(v1::Object object);
  void Remove(const std::string& key);
  // Returns the keys of the writes that a condition refused, for itself or for one that it is to be
  // committed together with.
  std::vector<std::string> Commit(const controller::Changes& changes);
  // Commits one write; false when its condition refused it.
  bool Commit(const controller::Write& write);

  // Packs some that nobody holds, others with each call: nobody may count on more than pointers
  // that hold.
  void Pack();

  // nullptr when absent.
  EntryPtr Find(const std::string& key) const { return view_.Find(key); }
  v1::Pod PodNamed(const std::string& name) const {
    return view_.Find("pods/default/" + name)->object.pod();
  }

 private:
  bool Holds(const controller::Write& write) const;

  View view_;
  store::Rev revision_ = 0;
  size_t pack_next_ = 0;
};

}  // namespace cluster::domain
