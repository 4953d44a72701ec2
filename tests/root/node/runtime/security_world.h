// A world whose containers run container_probe: strict ones, and the control that shows what a
// probe finds where nothing is in its way.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/capability_names.h"
#include "tests/root/node/runtime/runtime_world.h"

namespace cluster::node {

class SecurityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::copy_file(
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "container_probe",
        world_.layer() + "/bin/probe");
    canary_ = world_.base() + "/canary";
    WriteTestFile(canary_, "of the host\n");
  }

  ContainerSpec ProbeSpec(std::vector<std::string> words) {
    words.insert(words.begin(), "probe");
    return world_.Spec(absl::StrCat("probe-", ++probes_), std::move(words));
  }
  // A probe's verdict in a pod of its own, as strict as they come.
  std::string Probe(std::vector<std::string> words, const std::string& user = "") {
    ContainerSpec spec = ProbeSpec(std::move(words));
    spec.user = user;
    const auto outcome = world_.RunSpec(spec);
    EXPECT_EQ(outcome.state.message, "");
    return outcome.log;
  }
  // The control: the node's users, every capability, no filter, nothing hidden or read-only.
  RuntimeWorld::Outcome RunOpen(ContainerSpec spec) {
    spec.security.capabilities = kAllCapabilities;
    spec.security.no_new_privileges = false;
    spec.security.seccomp = "unconfined";
    spec.security.masked_paths = false;
    spec.security.privileged = true;
    SandboxSpec sandbox = world_.Sandbox(spec.pod_uid);
    sandbox.host_users = true;
    const auto outcome = world_.RunIn(sandbox, spec);
    EXPECT_EQ(outcome.state.message, "");
    return outcome;
  }
  std::string ProbeOpen(std::vector<std::string> words, const std::string& user = "") {
    ContainerSpec spec = ProbeSpec(std::move(words));
    spec.user = user;
    return RunOpen(std::move(spec)).log;
  }
  // Runs `argv` in an image where `path` is a symbolic link to `target`.
  RuntimeWorld::Outcome RunWithLink(const std::string& path, const std::string& target,
                                    std::vector<std::string> argv) {
    namespace fs = std::filesystem;
    const std::string layer = absl::StrCat(world_.base(), "/layer-", ++probes_);
    MakeBusyboxLayer(layer);
    fs::create_directories(fs::path(layer + path).parent_path());
    fs::create_symlink(target, layer + path);
    ContainerSpec spec = world_.Spec(absl::StrCat("link-", probes_), std::move(argv));
    spec.rootfs.layers = {layer};
    return world_.RunSpec(spec);
  }

  RuntimeWorld world_;
  std::string canary_;
  int probes_ = 0;
};

}  // namespace cluster::node
