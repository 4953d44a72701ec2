#include "proto/validate/meta_rules.h"

#include <set>

#include "absl/strings/str_cat.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/selector.h"
#include "proto/validate/name_rules.h"

namespace cluster {
namespace {

constexpr size_t kAnnotationBytes = 256 * 1024;

// Map fields come in no order; findings do.
std::set<std::string> SortedKeys(const StringMap& map) {
  std::set<std::string> keys;
  for (const auto& [key, value] : map) keys.insert(key);
  return keys;
}

std::string NameProblem(const Kind& kind, const std::string& name) {
  // They are one part of DNS names; a service's one of variables' names too.
  if (kind.object_case == v1::Object::kNamespace) return DnsLabelProblem(name);
  if (kind.object_case == v1::Object::kService) return ServiceNameProblem(name);
  return DnsSubdomainProblem(name);
}

void CheckName(const Kind& kind, const v1::ObjectMeta& meta, Findings* findings) {
  const Path path("metadata");
  if (!meta.name().empty()) {
    findings->AddProblem(path / "name", NameProblem(kind, meta.name()));
    return;
  }
  if (meta.generate_name().empty()) {
    findings->Add(path / "name", "a name is missing; set metadata.name");
    return;
  }
  const std::string example = absl::StrCat(meta.generate_name(), "x");
  if (!NameProblem(kind, example).empty()) {
    findings->Add(
        path / "generateName",
        absl::StrCat(Quote(meta.generate_name()),
                     " cannot begin a name; use lower case letters, digits, '-' and '.'"));
  }
}

void CheckNamespace(const Kind& kind, const v1::ObjectMeta& meta, Findings* findings) {
  const Path path = Path("metadata") / "namespace";
  if (kind.namespaced) {
    findings->AddProblem(path, DnsLabelProblem(meta.namespace_()));
  } else if (!meta.namespace_().empty()) {
    findings->Add(path, absl::StrCat("a ", kind.name, " lives in no namespace; remove the field"));
  }
}

void CheckOwners(const v1::ObjectMeta& meta, Findings* findings) {
  const Path path = Path("metadata") / "ownerReferences";
  int controllers = 0;
  for (int i = 0; i < meta.owner_references_size(); ++i) {
    const v1::OwnerReference& owner = meta.owner_references(i);
    if (owner.api_version().empty() || owner.kind().empty() || owner.name().empty() ||
        owner.uid().empty()) {
      findings->Add(path.At(i),
                    "an owner needs apiVersion, kind, name and uid; add what is missing");
    }
    if (owner.controller() && ++controllers == 2) {
      findings->Add(path.At(i) / "controller",
                    "only one owner can be the controller; set it on one of them");
    }
  }
}

void CheckRequirement(const v1::LabelSelectorRequirement& requirement, const Path& path,
                      Findings* findings) {
  findings->AddProblem(path / "key", QualifiedNameProblem(requirement.key()));
  const bool lists = requirement.operator_() == v1::SELECTOR_OPERATOR_IN ||
                     requirement.operator_() == v1::SELECTOR_OPERATOR_NOT_IN;
  if (requirement.operator_() == v1::SELECTOR_OPERATOR_UNSPECIFIED) {
    findings->Add(path / "operator",
                  "an operator is missing; set In, NotIn, Exists or DoesNotExist");
  } else if (lists && requirement.values().empty()) {
    findings->Add(path / "values", absl::StrCat(EnumText(requirement.operator_()),
                                                " needs at least one value; add it"));
  } else if (!lists && !requirement.values().empty()) {
    findings->Add(path / "values",
                  absl::StrCat(EnumText(requirement.operator_()), " takes no values; remove them"));
  }
  for (int i = 0; i < requirement.values_size(); ++i) {
    findings->AddProblem((path / "values").At(i), LabelValueProblem(requirement.values(i)));
  }
}

}  // namespace

void CheckMeta(const Kind& kind, const v1::ObjectMeta& meta, Findings* findings) {
  const Path path("metadata");
  CheckName(kind, meta, findings);
  CheckNamespace(kind, meta, findings);
  CheckLabels(meta.labels(), path / "labels", findings);
  CheckAnnotations(meta.annotations(), path / "annotations", findings);
  for (int i = 0; i < meta.finalizers_size(); ++i) {
    findings->AddProblem((path / "finalizers").At(i), QualifiedNameProblem(meta.finalizers(i)));
  }
  CheckOwners(meta, findings);
}

void CheckLabels(const StringMap& labels, const Path& path, Findings* findings) {
  for (const std::string& key : SortedKeys(labels)) {
    findings->AddProblem(path.Key(key), QualifiedNameProblem(key));
    findings->AddProblem(path.Key(key), LabelValueProblem(labels.at(key)));
  }
}

void CheckAnnotations(const StringMap& annotations, const Path& path, Findings* findings) {
  size_t bytes = 0;
  for (const std::string& key : SortedKeys(annotations)) {
    findings->AddProblem(path.Key(key), QualifiedNameProblem(key));
    bytes += key.size() + annotations.at(key).size();
  }
  if (bytes > kAnnotationBytes) {
    findings->Add(path, absl::StrCat("annotations have ", bytes, " bytes together; use at most ",
                                     kAnnotationBytes));
  }
}

void CheckSelector(const v1::LabelSelector& selector, const Path& path, Findings* findings) {
  if (selector.match_labels().empty() && selector.match_expressions().empty()) {
    findings->Add(path,
                  "the selector selects nothing; set matchLabels to the labels of the template");
  }
  CheckSelectorForm(selector, path, findings);
}

void CheckSelectorForm(const v1::LabelSelector& selector, const Path& path, Findings* findings) {
  CheckLabels(selector.match_labels(), path / "matchLabels", findings);
  for (int i = 0; i < selector.match_expressions_size(); ++i) {
    CheckRequirement(selector.match_expressions(i), (path / "matchExpressions").At(i), findings);
  }
}

}  // namespace cluster
