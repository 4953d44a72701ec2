// What is printed reads back equal, for generated objects of every kind.
#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

#include "cluster/v1/options.pb.h"
#include "proto/schema/kinds.h"
#include "proto/schema/printer.h"
#include "proto/schema/reader.h"
#include "proto/schema/scalars.h"

namespace cluster {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Fills messages by their descriptors, with values that are hard to print.
class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed) {}

  void Fill(Message* message, int depth) {
    const auto* type = message->GetDescriptor();
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      const bool header = depth == 0 && (field->name() == "status" || field->name() == "kind" ||
                                         field->name() == "api_version");
      if (header || field->options().GetExtension(v1::not_yet) ||
          field->options().GetExtension(v1::system) || Below(3) == 0) {
        continue;
      }
      const int count = field->is_repeated() ? Below(4) : 1;
      for (int n = 0; n < count; ++n) FillField(message, field, depth, n);
    }
  }

 private:
  int Below(int end) { return static_cast<int>(random_() % static_cast<uint32_t>(end)); }

  std::string Word() {
    static const std::vector<std::string> kWords = {"web",        "yes",
                                                    "No",         "8080",
                                                    "0x1f",       "1e3",
                                                    "null",       "~",
                                                    "",           "a: b",
                                                    "a #b",       "- x",
                                                    "---",        "a\nb",
                                                    "a\n",        "\na",
                                                    "a\n\n",      " a\nb",
                                                    "\t",         "\u00e4\U0001F600",
                                                    "'",          "\"",
                                                    "\\n",        "{a}",
                                                    "[a",         "*x",
                                                    "&x",         "!x",
                                                    "|",          "> x",
                                                    "%a",         "@",
                                                    "`",          "<<",
                                                    "=",          "a\r\nb",
                                                    "\u2028",     "\uFEFF",
                                                    "x\x01",      "on",
                                                    ".5",         ".inf",
                                                    "a:",         ": a",
                                                    "? a",        "#",
                                                    "2026-01-31", "80:80",
                                                    " ",          "a ",
                                                    "...",        "x\n...\ny",
                                                    "x\n---\ny",  "a\n  b\n c\n",
                                                    "\u0085",     "x\n#y\n",
                                                    "{{ x }}",    "a,b"};
    return kWords[static_cast<size_t>(Below(static_cast<int>(kWords.size())))];
  }

  std::string Text(v1::Format format) {
    if (format == v1::QUANTITY) {
      return CanonicalQuantity(absl::StrCat(Below(5000), Below(2) == 0 ? "m" : "Ki")).value();
    }
    if (format == v1::INT_OR_STRING) return absl::StrCat(Below(100), Below(2) == 0 ? "" : "%");
    if (format == v1::DURATION) return "1h30m";
    return format == v1::BASE64 ? std::string("\x00\xff", 2) + Word() : Word();
  }

  void FillField(Message* message, const FieldDescriptor* field, int depth, int n) {
    const auto* reflection = message->GetReflection();
    const bool many = field->is_repeated();
    const v1::Format format = field->options().GetExtension(v1::format);
    if (field->is_map()) return FillEntry(message, field, format, n);
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE: {
        Message* inner = many ? reflection->AddMessage(message, field)
                              : reflection->MutableMessage(message, field);
        if (inner->GetDescriptor()->full_name() == "google.protobuf.Timestamp") {
          inner->CopyFrom(ToTimestamp(absl::FromUnixMillis(Below(2'000'000'000))));
        } else if (depth < 12) {
          Fill(inner, depth + 1);
        }
        return;
      }
      case FieldDescriptor::CPPTYPE_STRING: {
        const std::string text = Text(format);
        return many ? reflection->AddString(message, field, text)
                    : reflection->SetString(message, field, text);
      }
      case FieldDescriptor::CPPTYPE_ENUM: {
        const int number = 1 + Below(field->enum_type()->value_count() - 1);
        const auto* value = field->enum_type()->value(number);
        return many ? reflection->AddEnum(message, field, value)
                    : reflection->SetEnum(message, field, value);
      }
      case FieldDescriptor::CPPTYPE_BOOL:
        return reflection->SetBool(message, field, Below(2) == 0);
      case FieldDescriptor::CPPTYPE_INT32: {
        const int32_t number = static_cast<int32_t>(random_());
        return many ? reflection->AddInt32(message, field, number)
                    : reflection->SetInt32(message, field, number);
      }
      case FieldDescriptor::CPPTYPE_INT64: {
        const int64_t number = static_cast<int64_t>(random_()) - (1LL << 31);
        return many ? reflection->AddInt64(message, field, number)
                    : reflection->SetInt64(message, field, number);
      }
      case FieldDescriptor::CPPTYPE_UINT32:
      case FieldDescriptor::CPPTYPE_UINT64:
      case FieldDescriptor::CPPTYPE_DOUBLE:
      case FieldDescriptor::CPPTYPE_FLOAT:
        FAIL() << field->full_name() << " has a type that no manifest field has";
    }
  }

  void FillEntry(Message* message, const FieldDescriptor* field, v1::Format format, int n) {
    Message* entry = message->GetReflection()->AddMessage(message, field);
    const auto* reflection = entry->GetReflection();
    // Keys in a map are unique.
    reflection->SetString(entry, field->message_type()->map_key(), Word() + std::string(n, 'z'));
    reflection->SetString(entry, field->message_type()->map_value(), Text(format));
  }

  std::mt19937 random_;
};

v1::Object Generate(uint32_t seed) {
  const Kind& kind = AllKinds()[seed % AllKinds().size()];
  v1::Object object = NewObject(kind);
  Generator(seed).Fill(MutableInner(&object), 0);
  MutableMeta(&object)->set_name("name");
  // Through the wire once: entries of a map that got one key twice become one.
  v1::Object parsed;
  parsed.ParseFromString(object.SerializeAsString());
  return parsed;
}

void ExpectReadsBack(const std::string& text, const std::vector<v1::Object>& objects,
                     uint32_t seed) {
  const ReadResult result = ReadManifests(text, "printed");
  ASSERT_TRUE(result.ok()) << "seed " << seed << ": " << ToStatus(result.errors) << "\n" << text;
  ASSERT_EQ(result.documents.size(), objects.size()) << "seed " << seed;
  for (size_t i = 0; i < objects.size(); ++i) {
    std::string difference;
    google::protobuf::util::MessageDifferencer differencer;
    differencer.ReportDifferencesToString(&difference);
    EXPECT_TRUE(differencer.Compare(objects[i], result.documents[i].object))
        << "seed " << seed << ": " << difference << "\n"
        << text;
  }
}

TEST(RoundTrip, PrintedYamlReadsBackEqual) {
  for (uint32_t seed = 0; seed < 800; ++seed) {
    const v1::Object object = Generate(seed);
    ExpectReadsBack(PrintYaml(ToJson(object)), {object}, seed);
  }
}

TEST(RoundTrip, PrintedJsonReadsBackEqual) {
  for (uint32_t seed = 0; seed < 800; ++seed) {
    const v1::Object object = Generate(seed);
    ExpectReadsBack(PrintJson(ToJson(object)), {object}, seed);
  }
}

TEST(RoundTrip, ListsReadBackEqual) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    const std::vector<v1::Object> objects = {Generate(seed), Generate(seed + 1),
                                             Generate(seed + 2)};
    ExpectReadsBack(PrintYaml(ToJson(objects)), objects, seed);
    ExpectReadsBack(PrintJson(ToJson(objects)), objects, seed);
  }
}

TEST(RoundTrip, LongKeysReadBackEqual) {
  v1::Object object = NewObject(*FindKind("ConfigMap"));
  MutableMeta(&object)->set_name("a");
  auto* data = object.mutable_config_map()->mutable_data();
  (*data)[std::string(900, 'k')] = "short enough";
  (*data)[std::string(5000, 'k')] = "long";
  (*data)[std::string(5000, 'l') + ": "] = "long\nlines\n";
  ExpectReadsBack(PrintYaml(ToJson(object)), {object}, 0);
}

}  // namespace
}  // namespace cluster
