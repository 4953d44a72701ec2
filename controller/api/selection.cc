#include "controller/api/selection.h"

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "controller/api/lookup.h"

namespace cluster::controller {
namespace {

// Where a listing goes on: its revision and the last key that was given out.
struct Position {
  store::Rev rev = 0;
  std::string last_key;
};

std::string EncodeToken(const Position& position) {
  return absl::WebSafeBase64Escape(absl::StrCat("1 ", position.rev, " ", position.last_key));
}

absl::StatusOr<Position> DecodeToken(const std::string& token, const Kind& kind) {
  const absl::Status bad = absl::InvalidArgumentError(
      "the continue token does not belong to this listing: start without one");
  std::string text;
  if (!absl::WebSafeBase64Unescape(token, &text)) return bad;
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits(' ', 2));
  Position position;
  if (parts.size() != 3 || parts[0] != "1" || !absl::SimpleAtoi(parts[1], &position.rev) ||
      position.rev <= 0 || !absl::StartsWith(parts[2], kind.plural + "/")) {
    return bad;
  }
  position.last_key = parts[2];
  return position;
}

}  // namespace

absl::StatusOr<Selection> ParseSelection(const std::string& kind, const std::string& name_space,
                                         const std::string& label_selector,
                                         const std::string& field_selector) {
  Selection selection;
  ASSIGN_OR_RETURN(selection.kind, FindKindOrSay(kind));
  if (selection.kind->namespaced) selection.name_space = name_space;
  ASSIGN_OR_RETURN(selection.labels, LabelMatcher::Parse(label_selector));
  ASSIGN_OR_RETURN(selection.fields, FieldMatcher::Parse(field_selector, *selection.kind));
  return selection;
}

absl::StatusOr<v1::ListResponse> ListPage(const Cache& cache, const v1::ListRequest& request) {
  ASSIGN_OR_RETURN(const Selection selection,
                   ParseSelection(request.kind(), request.namespace_(), request.label_selector(),
                                  request.field_selector()));
  if (request.limit() < 0) return absl::InvalidArgumentError("limit must be 0 or more");
  const v1::Object::ObjectCase kind = selection.kind->object_case;
  Position start;
  Cache::ObjectList list;
  if (request.continue_token().empty()) {
    list = cache.List(kind, selection.name_space);
  } else {
    ASSIGN_OR_RETURN(start, DecodeToken(request.continue_token(), *selection.kind));
    ASSIGN_OR_RETURN(list, cache.ListAt(kind, selection.name_space, start.rev));
  }
  v1::ListResponse response;
  response.set_revision(list.rev);
  std::string last_key;
  for (const KeptEntry& kept : list.entries) {
    if (kept.key() <= start.last_key) continue;
    const EntryPtr entry = kept.Hold();
    if (!selection.Matches(entry->object)) continue;
    if (request.limit() > 0 && response.objects_size() == request.limit()) {
      response.set_continue_token(EncodeToken({list.rev, last_key}));
      break;
    }
    *response.add_objects() = entry->object;
    last_key = entry->key;
  }
  return response;
}

}  // namespace cluster::controller
