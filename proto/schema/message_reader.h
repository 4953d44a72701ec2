// A YAML tree into one protobuf message, driven by its descriptor. One thread; short-lived.
#pragma once

#include <string>
#include <vector>

#include "google/protobuf/message.h"

#include "proto/schema/yaml_tree.h"

namespace cluster {

class MessageReader {
 public:
  // All must outlive it. Stops adding to `faults` once there are `most_faults`.
  MessageReader(const TextPositions* text, PositionMap* positions, size_t most_faults,
                std::vector<YamlFault>* faults)
      : text_(text), positions_(positions), most_faults_(most_faults), faults_(faults) {}

  // Sets what is right in `node`, adds a fault for what is not. Entries of the top map that are
  // named in `skip` are left unread. Fields marked not_yet are faults unless they ask for nothing
  // (null, empty, or the default).
  void Read(const YamlNode& node, google::protobuf::Message* message,
            const std::vector<std::string>& skip = {});

 private:
  using Field = google::protobuf::FieldDescriptor;
  using Message = google::protobuf::Message;
  // `type` is what is written: a field, or the value of a map's entry. `options` carries the
  // format: the field itself, or the map. `add`: to a repeated field.
  struct Target {
    const Field* type;
    const Field* options;
    Message* message;
    bool add = false;
  };

  bool Full() const { return faults_->size() >= most_faults_; }
  // "PATH: what"
  void Refuse(size_t offset, const std::string& what);
  void RefuseUnknown(const YamlEntry& entry, const google::protobuf::Descriptor& type);
  void Note(const YamlEntry& entry);

  void ReadFields(const YamlEntry& entry, Message* message, const std::vector<std::string>& skip);
  void ReadField(const YamlEntry& entry, const Field& field, Message* message);
  void ReadMap(const YamlEntry& entry, const Field& field, Message* message);
  void ReadMapEntry(const YamlEntry& entry, const Field& field, Message* message);
  void ReadList(const YamlEntry& entry, const Field& field, Message* message);
  void ReadValue(const YamlEntry& entry, const Target& target);
  void ReadTime(const YamlEntry& entry, Message* timestamp);
  void ReadWhole(const YamlEntry& entry, const Target& target);
  void ReadDecimal(const YamlEntry& entry, const Target& target);
  void ReadBool(const YamlEntry& entry, const Target& target);
  void ReadEnum(const YamlEntry& entry, const Target& target);
  void ReadString(const YamlEntry& entry, const Target& target);
  // The text of a string; false after a refusal.
  bool TakeText(const YamlEntry& entry, std::string* text);
  // The text of a string that may also be written as a bare number.
  bool TakeTextOrNumber(const YamlEntry& entry, absl::string_view what, std::string* text);

  const TextPositions* const text_;
  PositionMap* const positions_;
  const size_t most_faults_;
  std::vector<YamlFault>* const faults_;
  std::string path_;  // of what is being read
};

}  // namespace cluster
