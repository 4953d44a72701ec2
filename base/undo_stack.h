// Do a step, push its undo; Commit() at the end keeps everything, any earlier return takes all of
// it back in reverse order.
#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace cluster {

// Not movable: it belongs to the function that does the steps. Undo functions must not throw.
class UndoStack {
 public:
  UndoStack() = default;
  UndoStack(const UndoStack&) = delete;
  UndoStack& operator=(const UndoStack&) = delete;
  ~UndoStack() { Rollback(); }

  void Push(std::function<void()> undo) { undos_.push_back(std::move(undo)); }
  void Commit() { undos_.clear(); }
  void Rollback() {
    while (!undos_.empty()) {
      auto undo = std::move(undos_.back());
      undos_.pop_back();
      undo();
    }
  }

 private:
  std::vector<std::function<void()>> undos_;
};

}  // namespace cluster
