#include "node/pod/security_specs.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/capability_names.h"

namespace cluster::node {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kSmallSet = 0x800405fb;

SecuritySpec SpecOf(const v1::PodSpec& pod, const v1::SecurityContext& context = {},
                    const std::string& image_user = "") {
  auto spec = SecuritySpecOf(pod, "main", context, image_user);
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec.value_or(SecuritySpec{});
}

uint64_t Capabilities(const std::vector<std::string>& add, const std::vector<std::string>& drop) {
  v1::SecurityContext context;
  for (const std::string& name : add) context.mutable_capabilities()->add_add(name);
  for (const std::string& name : drop) context.mutable_capabilities()->add_drop(name);
  return SpecOf({}, context).capabilities;
}

uint64_t Bit(const char* name) { return uint64_t{1} << *CapabilityByName(name); }

TEST(SecuritySpecOf, StrictWithoutAWord) {
  const SecuritySpec spec = SpecOf({});
  EXPECT_EQ(spec.capabilities, kSmallSet);
  EXPECT_TRUE(spec.no_new_privileges);
  EXPECT_EQ(spec.seccomp, "");
  EXPECT_TRUE(spec.masked_paths);
  EXPECT_FALSE(spec.read_only_root);
  EXPECT_FALSE(spec.uid.has_value());
  EXPECT_TRUE(spec.groups_of_image);
}

TEST(SecuritySpecOf, CapabilitiesAllThenAddedThenDropped) {
  EXPECT_EQ(Capabilities({"NET_ADMIN", "CAP_SYS_TIME"}, {}),
            kSmallSet | Bit("NET_ADMIN") | Bit("SYS_TIME"));
  EXPECT_EQ(Capabilities({}, {"CHOWN"}), kSmallSet & ~Bit("CHOWN"));
  EXPECT_EQ(Capabilities({"NET_BIND_SERVICE"}, {"ALL"}), Bit("NET_BIND_SERVICE"));
  EXPECT_EQ(Capabilities({"ALL"}, {"NET_RAW"}), kAllCapabilities & ~Bit("NET_RAW"));
  EXPECT_EQ(Capabilities({"KILL"}, {"KILL"}), kSmallSet & ~Bit("KILL"));
  EXPECT_EQ(Capabilities({}, {"ALL"}), 0u);
}

TEST(SecuritySpecOf, Behaviour70_TheContainersUserWinsOverThePods) {
  v1::PodSpec pod;
  pod.mutable_security_context()->set_run_as_user(1000);
  pod.mutable_security_context()->set_run_as_group(2000);
  pod.mutable_security_context()->add_supplemental_groups(3000);
  pod.mutable_security_context()->set_fs_group(4000);
  EXPECT_EQ(SpecOf(pod).uid, 1000u);
  EXPECT_EQ(SpecOf(pod).gid, 2000u);
  EXPECT_EQ(SpecOf(pod).supplemental_groups, (std::vector<uint32_t>{3000, 4000}));
  v1::SecurityContext context;
  context.set_run_as_user(0);
  EXPECT_EQ(SpecOf(pod, context).uid, 0u);
  EXPECT_EQ(SpecOf(pod, context).gid, 2000u);
  pod.mutable_security_context()->set_supplemental_groups_policy(
      v1::SUPPLEMENTAL_GROUPS_POLICY_STRICT);
  EXPECT_FALSE(SpecOf(pod).groups_of_image);
}

TEST(SecuritySpecOf, Behaviour72_NothingIsGainedUnlessAsked) {
  v1::SecurityContext context;
  context.set_allow_privilege_escalation(true);
  EXPECT_FALSE(SpecOf({}, context).no_new_privileges);
  context.set_allow_privilege_escalation(false);
  EXPECT_TRUE(SpecOf({}, context).no_new_privileges);
  context.clear_allow_privilege_escalation();
  context.mutable_capabilities()->add_add("SYS_ADMIN");
  EXPECT_FALSE(SpecOf({}, context).no_new_privileges);
}

TEST(SecuritySpecOf, PrivilegedIsAllOfIt) {
  v1::SecurityContext context;
  context.set_privileged(true);
  context.mutable_capabilities()->add_drop("ALL");
  const SecuritySpec spec = SpecOf({}, context);
  EXPECT_TRUE(spec.privileged);
  EXPECT_EQ(spec.capabilities, kAllCapabilities);
  EXPECT_FALSE(spec.no_new_privileges);
}

TEST(SecuritySpecOf, SystemCallProfiles) {
  v1::PodSpec pod;
  pod.mutable_security_context()->mutable_seccomp_profile()->set_type(
      v1::SECCOMP_PROFILE_TYPE_UNCONFINED);
  EXPECT_EQ(SpecOf(pod).seccomp, "unconfined");
  v1::SecurityContext context;
  context.mutable_seccomp_profile()->set_type(v1::SECCOMP_PROFILE_TYPE_RUNTIME_DEFAULT);
  EXPECT_EQ(SpecOf(pod, context).seccomp, "");
  context.mutable_seccomp_profile()->set_type(v1::SECCOMP_PROFILE_TYPE_LOCALHOST);
  context.mutable_seccomp_profile()->set_localhost_profile("team/audit.json");
  EXPECT_EQ(SpecOf(pod, context).seccomp, "localhost/team/audit.json");
}

TEST(SecuritySpecOf, RootIsRefusedWhereItMustNotBe) {
  v1::PodSpec pod;
  pod.mutable_security_context()->set_run_as_non_root(true);
  const auto problem = [&pod](const v1::SecurityContext& context, const std::string& user) {
    const auto spec = SecuritySpecOf(pod, "main", context, user);
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kFailedPrecondition) << user;
    return std::string(spec.status().message());
  };
  EXPECT_THAT(problem({}, ""), HasSubstr("container has runAsNonRoot and image will run as root"));
  EXPECT_THAT(problem({}, "0:5"), HasSubstr("image will run as root"));
  EXPECT_THAT(problem({}, "app:app"),
              HasSubstr("container has runAsNonRoot and image has non-numeric user (app), cannot "
                        "verify user is non-root"));
  v1::SecurityContext context;
  context.set_run_as_user(0);
  EXPECT_THAT(problem(context, "app"), HasSubstr("container's runAsUser breaks non-root policy"));
  EXPECT_TRUE(SpecOf(pod, {}, "1000").must_not_be_root);
  context.set_run_as_user(7);
  EXPECT_EQ(SpecOf(pod, context, "app").uid, 7u);
  context.clear_run_as_user();
  context.set_run_as_non_root(false);
  EXPECT_FALSE(SpecOf(pod, context, "app").must_not_be_root) << "the container wins";
}

TEST(UsesNodeUsers, OnlyWhatNeedsThem) {
  v1::PodSpec pod;
  EXPECT_FALSE(UsesNodeUsers(pod));
  pod.set_host_users(true);
  EXPECT_TRUE(UsesNodeUsers(pod));
  pod.clear_host_users();
  pod.set_host_network(true);
  EXPECT_TRUE(UsesNodeUsers(pod));
  pod.clear_host_network();
  pod.add_containers()->mutable_security_context()->set_privileged(true);
  EXPECT_TRUE(UsesNodeUsers(pod));
}

TEST(FillSandboxSecurity, CarriesWhatThePodSays) {
  v1::PodSpec pod;
  pod.set_share_process_namespace(true);
  v1::Sysctl* sysctl = pod.mutable_security_context()->add_sysctls();
  sysctl->set_name("net.core.somaxconn");
  sysctl->set_value("1024");
  SandboxSpec spec;
  FillSandboxSecurity(pod, &spec);
  EXPECT_FALSE(spec.host_users);
  EXPECT_TRUE(spec.share_process_namespace);
  ASSERT_EQ(spec.sysctls.size(), 1u);
  EXPECT_EQ(spec.sysctls[0].second, "1024");
}

TEST(TimeOffsetsOf, TakesWhatIsAnnotated) {
  v1::ObjectMeta meta;
  EXPECT_FALSE(TimeOffsetsOf(meta).has_value());
  (*meta.mutable_annotations())["cluster.v1/time-offset-boottime"] = "86400";
  ASSERT_TRUE(TimeOffsetsOf(meta).has_value());
  EXPECT_EQ(TimeOffsetsOf(meta)->boottime, 86400);
  EXPECT_EQ(TimeOffsetsOf(meta)->monotonic, 0);
}

}  // namespace
}  // namespace cluster::node
