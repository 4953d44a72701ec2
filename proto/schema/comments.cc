#include "proto/schema/comments.h"

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/descriptor.pb.h"

namespace cluster {

// The descriptors of the schema with their comments, which generated code leaves out. In a source
// that the build makes.
absl::string_view DescriptorSet();

namespace {

using google::protobuf::DescriptorPool;

std::unique_ptr<DescriptorPool> ReadPool() {
  auto pool = std::make_unique<DescriptorPool>();
  google::protobuf::FileDescriptorSet set;
  const absl::string_view bytes = DescriptorSet();
  if (!set.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return pool;
  for (const auto& file : set.file()) pool->BuildFile(file);
  return pool;
}

const DescriptorPool& Pool() {
  static const DescriptorPool* const pool = ReadPool().release();
  return *pool;
}

template <typename Descriptor>
std::string Comment(const Descriptor* descriptor) {
  google::protobuf::SourceLocation location;
  if (descriptor == nullptr || !descriptor->GetSourceLocation(&location)) return "";
  const std::string& comment =
      location.leading_comments.empty() ? location.trailing_comments : location.leading_comments;
  std::string text;
  for (const absl::string_view line : absl::StrSplit(comment, '\n')) {
    const absl::string_view words = absl::StripAsciiWhitespace(line);
    if (words.empty()) continue;
    absl::StrAppend(&text, text.empty() ? "" : " ", words);
  }
  return text;
}

}  // namespace

std::string CommentOf(const google::protobuf::Descriptor& message) {
  return Comment(Pool().FindMessageTypeByName(message.full_name()));
}

std::string CommentOf(const google::protobuf::FieldDescriptor& field) {
  return Comment(Pool().FindFieldByName(field.full_name()));
}

}  // namespace cluster
