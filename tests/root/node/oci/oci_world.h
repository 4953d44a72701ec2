// A place for tests of cluster-oci: a bundle with a busybox root, a --root and a cgroup parent of
// its own, in mount and network namespaces of the test's. All of it goes at the end, and the end
// checks that nothing is left.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

#include "base/unique_handle.h"
#include "tests/root/node/oci/program.h"
#include "tests/root/node/runtime/rootfs_fixture.h"

namespace cluster::oci {

using Json = nlohmann::json;

class OciWorld : public ::testing::Test {
 protected:
  OciWorld();
  ~OciWorld() override;

  // What a container of the test gets; change it before Run or Create.
  Json config;
  void SetCommand(const std::string& script) { config["process"]["args"] = {"sh", "-c", script}; }
  Json* FindMount(const std::string& destination);
  void AddMount(const std::string& destination, const std::string& type, const std::string& source,
                std::vector<std::string> options);

  // `cluster-oci --root R WORDS...` to its end.
  Outcome Call(std::vector<std::string> words, const std::string& input = "");
  // The same with standard output and error going to base()/out and base()/err: what is left
  // running keeps them open.
  Outcome CallToFiles(std::vector<std::string> words);
  // Writes the config and runs it in the foreground.
  Outcome Run(std::vector<std::string> flags = {});
  // Writes the config and creates container "c".
  Outcome Create(std::vector<std::string> flags = {});
  // Create and start, expecting both to work.
  void Start();
  Outcome Exec(const std::string& script, std::vector<std::string> flags = {});
  std::string StatusOf(const std::string& id = "c");
  int PidOf(const std::string& id = "c");
  // Until its status is this.
  void AwaitStatus(const std::string& status, const std::string& id = "c");
  // Until the file is there and not empty; its content.
  std::string AwaitFile(const std::string& path);
  void WriteConfig();

  std::string base() const { return directory_.path(); }
  std::string bundle() const { return base() + "/bundle"; }
  std::string rootfs() const { return bundle() + "/rootfs"; }
  std::string group() const { return parent_ + "/c"; }
  // Its directory in the hierarchy of a v1 controller, or the v2 tree of a machine without.
  std::string GroupDirectory(const std::string& controller) const;
  // What a control file there holds, by its name in v1 and in v2; "none" without.
  std::string ReadGroup(const std::string& controller, const std::string& v1,
                        const std::string& v2) const;
  // No v1 hierarchies here.
  static bool IsPureV2();
  static std::string Program();

 private:
  node::TemporaryDirectory directory_;
  std::string parent_;
};

}  // namespace cluster::oci
