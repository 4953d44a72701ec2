#include "controller/admission/limit_ranges.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/pod_resources.h"
#include "proto/schema/resource_names.h"
#include "proto/schema/scalars.h"

namespace cluster::controller {
namespace {

using Amounts = google::protobuf::Map<std::string, std::string>;

// What one container, a whole pod or a claim asks for of one resource.
struct Asked {
  std::optional<int64_t> request;
  std::optional<int64_t> limit;
};

std::optional<int64_t> AmountIn(const Amounts& amounts, const std::string& resource) {
  const auto found = amounts.find(resource);
  if (found == amounts.end()) return std::nullopt;
  const auto amount = ResourceAmount(resource, found->second);
  return amount.ok() ? std::optional<int64_t>(*amount) : std::nullopt;
}

Asked AskedBy(const v1::ResourceRequirements& resources, const std::string& resource) {
  return {AmountIn(resources.requests(), resource), AmountIn(resources.limits(), resource)};
}

std::string AmountText(const std::string& resource, int64_t amount) {
  return resource == "storage" ? FormatBytes(amount) : FormatResource(resource, amount);
}

// Sums over the containers that say something.
Asked AskedBy(const v1::PodSpec& spec, const std::string& resource) {
  Asked asked;
  for (const bool limits : {false, true}) {
    bool any = false;
    const int64_t sum = EffectiveAmount(spec, [&](const v1::Container& container) {
      const Asked own = AskedBy(container.resources(), resource);
      const std::optional<int64_t> amount = limits ? own.limit : own.request;
      any = any || amount.has_value();
      return std::max<int64_t>(0, amount.value_or(0));
    });
    if (any) (limits ? asked.limit : asked.request) = sum;
  }
  return asked;
}

// One item of a LimitRange against one thing that it is about.
class ItemCheck {
 public:
  ItemCheck(const v1::LimitRangeItem& item, std::vector<std::string>* problems)
      : item_(item), problems_(problems) {}

  template <typename AskedOf>
  void Run(AskedOf asked_of) {
    for (const std::string& resource : SortedKeys(item_.min())) {
      CheckLeast(resource, asked_of(resource));
    }
    for (const std::string& resource : SortedKeys(item_.max())) {
      CheckMost(resource, asked_of(resource));
    }
    for (const std::string& resource : SortedKeys(item_.max_limit_request_ratio())) {
      CheckRatio(resource, asked_of(resource));
    }
  }

 private:
  static std::set<std::string> SortedKeys(const Amounts& amounts) {
    std::set<std::string> keys;
    for (const auto& [key, value] : amounts) keys.insert(key);
    return keys;
  }

  void Add(const std::string& resource, const char* bound, const Amounts& amounts,
           const std::string& what) {
    problems_->push_back(absl::StrCat(bound, " ", resource, " usage per ", EnumText(item_.type()),
                                      " is ", amounts.at(resource), what));
  }

  void CheckLeast(const std::string& resource, const Asked& asked) {
    const int64_t least = AmountIn(item_.min(), resource).value_or(0);
    const auto add = [&](const std::string& what) { Add(resource, "minimum", item_.min(), what); };
    if (!asked.request.has_value()) {
      add(".  No request is specified");
    } else if (*asked.request < least) {
      add(absl::StrCat(", but request is ", AmountText(resource, *asked.request)));
    }
    if (asked.limit.has_value() && *asked.limit < least) {
      add(absl::StrCat(", but limit is ", AmountText(resource, *asked.limit)));
    }
  }

  void CheckMost(const std::string& resource, const Asked& asked) {
    const auto most = AmountIn(item_.max(), resource);
    if (!most.has_value()) return;
    const auto add = [&](const std::string& what) { Add(resource, "maximum", item_.max(), what); };
    // A claim has no limit: what it requests is what it gets.
    const bool is_claim = item_.type() == v1::LIMIT_TYPE_PERSISTENT_VOLUME_CLAIM;
    if (!asked.limit.has_value() && !is_claim) {
      add(".  No limit is specified");
    } else if (asked.limit.has_value() && *asked.limit > *most) {
      add(absl::StrCat(", but limit is ", AmountText(resource, *asked.limit)));
    }
    if (asked.request.has_value() && *asked.request > *most) {
      add(absl::StrCat(", but request is ", AmountText(resource, *asked.request)));
    }
  }

  void CheckRatio(const std::string& resource, const Asked& asked) {
    const std::string& text = item_.max_limit_request_ratio().at(resource);
    const auto most = ResourceAmount("cpu", text);  // in thousandths, as a ratio may be a fraction
    if (!most.ok()) return;
    const std::string start = absl::StrCat(resource, " max limit to request ratio per ",
                                           EnumText(item_.type()), " is ", text, ", but ");
    if (asked.request.value_or(0) == 0) {
      problems_->push_back(absl::StrCat(start, "no request is specified or request is 0"));
    } else if (asked.limit.value_or(0) == 0) {
      problems_->push_back(absl::StrCat(start, "no limit is specified or limit is 0"));
    } else {
      const double ratio = static_cast<double>(*asked.limit) / static_cast<double>(*asked.request);
      if (ratio * 1000 <= static_cast<double>(*most)) return;
      problems_->push_back(absl::StrCat(start, absl::StrFormat("provided ratio is %f", ratio)));
    }
  }

  const v1::LimitRangeItem& item_;
  std::vector<std::string>* const problems_;
};

// The names that were missing, in their order.
std::set<std::string> AddMissing(const Amounts& from, Amounts* to) {
  std::set<std::string> added;
  for (const auto& [resource, amount] : from) {
    if (to->insert({resource, amount}).second) added.insert(resource);
  }
  return added;
}

void NoteAdded(const std::set<std::string>& added, absl::string_view what,
               const v1::Container& container, std::vector<std::string>* notes) {
  if (added.empty()) return;
  notes->push_back(
      absl::StrCat(absl::StrJoin(added, ", "), " ", what, " for container ", container.name()));
}

void CheckPod(const v1::PodSpec& spec, const v1::LimitRangeItem& item,
              std::vector<std::string>* problems) {
  ItemCheck check(item, problems);
  if (item.type() == v1::LIMIT_TYPE_POD) {
    check.Run([&](const std::string& resource) { return AskedBy(spec, resource); });
  } else if (item.type() == v1::LIMIT_TYPE_CONTAINER) {
    for (const auto* containers : {&spec.containers(), &spec.init_containers()}) {
      for (const v1::Container& container : *containers) {
        check.Run(
            [&](const std::string& resource) { return AskedBy(container.resources(), resource); });
      }
    }
  }
}

}  // namespace

LimitRanges::LimitRanges(const View& view, const std::string& name_space) {
  const std::string prefix = absl::StrCat("limitranges/", name_space, "/");
  for (const auto& [key, range] : view.All(v1::Object::kLimitRange).Under(prefix)) {
    ranges_.push_back(range);
  }
}

void LimitRanges::FillIn(v1::Object* object) const {
  if (!object->has_pod()) return;
  v1::PodSpec* spec = object->mutable_pod()->mutable_spec();
  std::vector<std::string> notes;
  for (const EntryPtr& range : ranges_) {
    for (const v1::LimitRangeItem& item : range->object.limit_range().spec().limits()) {
      if (item.type() != v1::LIMIT_TYPE_CONTAINER) continue;
      for (auto* containers : {spec->mutable_containers(), spec->mutable_init_containers()}) {
        for (v1::Container& container : *containers) {
          v1::ResourceRequirements* resources = container.mutable_resources();
          NoteAdded(AddMissing(item.default_request(), resources->mutable_requests()), "request",
                    container, &notes);
          NoteAdded(AddMissing(item.default_(), resources->mutable_limits()), "limit", container,
                    &notes);
        }
      }
    }
  }
  if (notes.empty()) return;
  (*MutableMeta(object)->mutable_annotations())[std::string(kFilledIn)] =
      absl::StrCat("LimitRanger plugin set: ", absl::StrJoin(notes, "; "));
}

void KeepFilledIn(const v1::Object& before, v1::Object* after) {
  const auto& annotations = Meta(before).annotations();
  const auto note = annotations.find(std::string(kFilledIn));
  if (!before.has_pod() || note == annotations.end()) return;
  (*MutableMeta(after)->mutable_annotations())[note->first] = note->second;
  v1::PodSpec* spec = after->mutable_pod()->mutable_spec();
  const auto keep = [](const auto& old, auto* containers) {
    for (v1::Container& container : *containers) {
      const auto same = std::find_if(old.begin(), old.end(), [&](const v1::Container& each) {
        return each.name() == container.name();
      });
      if (same == old.end()) continue;
      AddMissing(same->resources().requests(), container.mutable_resources()->mutable_requests());
      AddMissing(same->resources().limits(), container.mutable_resources()->mutable_limits());
    }
  };
  keep(before.pod().spec().containers(), spec->mutable_containers());
  keep(before.pod().spec().init_containers(), spec->mutable_init_containers());
}

std::vector<std::string> LimitRanges::Problems(const v1::Object& object) const {
  std::vector<std::string> problems;
  for (const EntryPtr& range : ranges_) {
    for (const v1::LimitRangeItem& item : range->object.limit_range().spec().limits()) {
      if (object.has_pod()) {
        CheckPod(object.pod().spec(), item, &problems);
      } else if (object.has_persistent_volume_claim() &&
                 item.type() == v1::LIMIT_TYPE_PERSISTENT_VOLUME_CLAIM) {
        const auto& resources = object.persistent_volume_claim().spec().resources();
        ItemCheck(item, &problems).Run([&](const std::string& resource) {
          return Asked{AmountIn(resources.requests(), resource),
                       AmountIn(resources.limits(), resource)};
        });
      }
    }
  }
  // Several containers may lack the same.
  std::vector<std::string> once;
  for (std::string& problem : problems) {
    if (std::find(once.begin(), once.end(), problem) == once.end()) {
      once.push_back(std::move(problem));
    }
  }
  return once;
}

}  // namespace cluster::controller
