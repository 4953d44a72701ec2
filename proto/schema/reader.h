// The one manifest reader: YAML (and JSON, which is YAML's flow style) to objects, driven by the
// protobuf descriptors and the options in options.proto. No kind has code of its own here.
//
// Every field of a manifest is honoured or refused (law 7). Work is linear in the input, and
// bounded: see ReadLimits. No input crashes it. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "cluster/v1/object.pb.h"

namespace cluster {

// Both from 1; column counts characters. Line 0: no position (the whole input).
struct Position {
  int line = 0;
  int column = 0;
};

struct FieldPosition {
  Position key;    // where the field's name stands; of a list item: the item itself
  Position value;  // where its value starts
};

// Field path as in Kubernetes, e.g. "spec.containers[0].ports[1].containerPort" or
// "metadata.labels[app]", to where it was written. Fields that were not written are absent.
using PositionMap = absl::flat_hash_map<std::string, FieldPosition>;

struct Document {
  v1::Object object;
  PositionMap positions;
  // Where the object starts: its first key.
  Position start;
  std::string file;
};

struct ReadError {
  std::string file;
  Position at;
  // What is wrong and what to do, with the field's path in front: `spec.replicaz: unknown field;
  // did you mean "replicas"?`
  std::string message;
  // "FILE:LINE:COL: message"
  std::string ToString() const;
};

struct ReadLimits {
  size_t total_bytes = 16 << 20;    // of the whole input
  size_t document_bytes = 1 << 20;  // of one document; also of the text that its aliases expand to
  int depth = 64;                   // of maps and lists inside each other
  int nodes = 20'000;               // of one document, aliases counted as what they expand to
  int errors = 20;                  // after which the reader stops looking for more
};

struct ReadResult {
  // Documents without an error, in order; items of a List come one by one. Empty documents are left
  // out. Use them only when errors is empty: an apply is all or nothing.
  std::vector<Document> documents;
  std::vector<ReadError> errors;
  bool ok() const { return errors.empty(); }
};

// `file` is used in messages alone ("-" is shown as "stdin").
ReadResult ReadManifests(absl::string_view text, absl::string_view file,
                         const ReadLimits& limits = {});

// Ok, or InvalidArgument with one error per line.
absl::Status ToStatus(const std::vector<ReadError>& errors);

// Where the field was written, or its closest parent that was ("spec.containers[0].name" ->
// "spec.containers[0]" -> ... -> start): for a finding of the validation.
Position FindPosition(const Document& document, absl::string_view field);

}  // namespace cluster
