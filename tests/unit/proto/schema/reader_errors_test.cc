// Bad manifests: each is refused at the right place, with one sentence that helps.
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/schema/reader.h"

namespace cluster {
namespace {

struct BadManifest {
  const char* name;
  std::string text;
  std::vector<std::string> errors;
};

// `body` stands at column 1 below the head of a Pod; its first line is line 4.
std::string Pod(const std::string& body) {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n" + body;
}
// `body` is indented below the container "a"; its first line is line 7.
std::string Container(const std::string& body) {
  return Pod("spec:\n  containers:\n  - name: a\n" + body);
}
// `body` stands below "spec:" of a Deployment; its first line is line 5.
std::string Deployment(const std::string& body) {
  return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n" + body;
}
std::string ConfigMap(const std::string& body) {
  return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n" + body;
}

class BadManifestTest : public testing::TestWithParam<BadManifest> {};

TEST_P(BadManifestTest, IsRefusedAtTheRightPlace) {
  const ReadResult result = ReadManifests(GetParam().text, "f.yaml");
  std::vector<std::string> errors;
  for (const ReadError& error : result.errors) errors.push_back(error.ToString());
  EXPECT_EQ(errors, GetParam().errors) << GetParam().text;
}

std::string Name(const testing::TestParamInfo<BadManifest>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Fields, BadManifestTest,
    testing::Values(
        BadManifest{"UnknownFieldMeans",
                    Deployment("  replicaz: 3\n"),
                    {"f.yaml:5:3: spec.replicaz: unknown field; did you mean \"replicas\"?"}},
        BadManifest{"UnknownFieldMeansNothing",
                    Deployment("  quux: 3\n"),
                    {"f.yaml:5:3: spec.quux: unknown field; DeploymentSpec has no such field"}},
        BadManifest{"UnknownFieldDeep",
                    Container("    ports:\n    - containerPrt: 80\n"),
                    {"f.yaml:8:7: spec.containers[0].ports[0].containerPrt: unknown field; did you "
                     "mean \"containerPort\"?"}},
        BadManifest{"SnakeCase",
                    Container("    image_pull_policy: Always\n"),
                    {"f.yaml:7:5: spec.containers[0].image_pull_policy: unknown field; did you "
                     "mean \"imagePullPolicy\"?"}},
        BadManifest{"WrongCase",
                    Container("    workingdir: /\n"),
                    {"f.yaml:7:5: spec.containers[0].workingdir: unknown field; did you mean "
                     "\"workingDir\"?"}},
        BadManifest{"TopLevel",
                    Pod("sepc: {}\n"),
                    {"f.yaml:4:1: sepc: unknown field; did you mean \"spec\"?"}},
        BadManifest{"SpecFieldAtTop",
                    Pod("containers: []\n"),
                    {"f.yaml:4:1: containers: unknown field; Pod has no such field"}},
        BadManifest{"UnknownInMetadata",
                    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  lables: {}\n",
                    {"f.yaml:5:3: metadata.lables: unknown field; did you mean \"labels\"?"}},
        BadManifest{"UnknownWithoutValue",
                    Pod("spec:\n  replicas:\n"),
                    {"f.yaml:5:3: spec.replicas: unknown field; PodSpec has no such field"}},
        BadManifest{
            "EveryErrorOfTheFile",
            Deployment(
                "  replicas: many\n  template: {spec: {runtimeClassName: a}}\n  tmplate: {}\n"),
            {"f.yaml:5:13: spec.replicas: expected a whole number, got \"many\"",
             "f.yaml:6:21: not supported yet: spec.template.spec.runtimeClassName",
             "f.yaml:7:3: spec.tmplate: unknown field; did you mean \"template\"?"}}),
    Name);

INSTANTIATE_TEST_SUITE_P(
    NotYet, BadManifestTest,
    testing::Values(
        BadManifest{"VolumeDevices",
                    Container("    volumeDevices:\n      - {}\n"),
                    {"f.yaml:7:5: not supported yet: spec.containers[0].volumeDevices"}},
        BadManifest{"RuntimeClass",
                    Pod("spec:\n  runtimeClassName: fast\n"),
                    {"f.yaml:5:3: not supported yet: spec.runtimeClassName"}},
        BadManifest{"DeepInTemplate",
                    Deployment("  template:\n    spec:\n      resourceClaims:\n        - a: b\n"),
                    {"f.yaml:7:7: not supported yet: spec.template.spec.resourceClaims"}},
        BadManifest{"Kind",
                    "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n",
                    {"f.yaml:2:7: not supported yet: kind ServiceAccount"}},
        BadManifest{
            "KindInList",
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ServiceAccount\n",
            {"f.yaml:5:9: not supported yet: kind ServiceAccount"}}),
    Name);

INSTANTIATE_TEST_SUITE_P(
    Types, BadManifestTest,
    testing::Values(
        BadManifest{"WordForNumber",
                    Deployment("  replicas: three\n"),
                    {"f.yaml:5:13: spec.replicas: expected a whole number, got \"three\""}},
        BadManifest{"QuotedNumber",
                    Deployment("  replicas: \"3\"\n"),
                    {"f.yaml:5:13: spec.replicas: expected a whole number, got the text \"3\"; "
                     "remove the quotes"}},
        BadManifest{"Fraction",
                    Deployment("  replicas: 1.5\n"),
                    {"f.yaml:5:13: spec.replicas: expected a whole number, got the number 1.5"}},
        BadManifest{"BoolForNumber",
                    Deployment("  replicas: yes\n"),
                    {"f.yaml:5:13: spec.replicas: expected a whole number, got the bool yes"}},
        BadManifest{"ListForNumber",
                    Deployment("  replicas: [3]\n"),
                    {"f.yaml:5:13: spec.replicas: expected a whole number, got a list"}},
        BadManifest{"NumberTooLarge",
                    Deployment("  replicas: 3000000000\n"),
                    {"f.yaml:5:13: spec.replicas: 3000000000 is out of range; write -2147483648 to "
                     "2147483647"}},
        BadManifest{"NumberFarTooLarge",
                    Deployment("  replicas: 99999999999999999999\n"),
                    {"f.yaml:5:13: spec.replicas: 99999999999999999999 is out of range; write "
                     "-2147483648 to 2147483647"}},
        BadManifest{"Infinity",
                    Deployment("  replicas: .inf\n"),
                    {"f.yaml:5:13: spec.replicas: .inf is out of range; write -2147483648 to "
                     "2147483647"}},
        BadManifest{"NotANumber",
                    Deployment("  replicas: .nan\n"),
                    {"f.yaml:5:13: spec.replicas: expected a whole number, got the number .nan"}},
        BadManifest{"NumberForText",
                    Container("    env:\n    - name: PORT\n      value: 8080\n"),
                    {"f.yaml:9:14: spec.containers[0].env[0].value: expected text, got the number "
                     "8080; quote it: \"8080\""}},
        BadManifest{"BoolForText",
                    Container("    env: [{name: A, value: true}]\n"),
                    {"f.yaml:7:28: spec.containers[0].env[0].value: expected text, got the bool "
                     "true; quote it: \"true\""}},
        BadManifest{"NorwayForText",
                    ConfigMap("data:\n  country: no\n"),
                    {"f.yaml:5:12: data[country]: expected text, got the bool no; quote it: "
                     "\"no\""}},
        BadManifest{
            "NumberAnnotation",
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations: {port: 9797}\n",
            {"f.yaml:5:23: metadata.annotations[port]: expected text, got the number 9797; "
             "quote it: \"9797\""}},
        BadManifest{"NumberName",
                    "apiVersion: v1\nkind: Pod\nmetadata: {name: 123}\n",
                    {"f.yaml:3:18: metadata.name: expected text, got the number 123; quote it: "
                     "\"123\""}},
        BadManifest{"NumberArgument",
                    Container("    args: [sleep, 10]\n"),
                    {"f.yaml:7:19: spec.containers[0].args[1]: expected text, got the number 10; "
                     "quote it: \"10\""}},
        BadManifest{"MapForText",
                    Container("    image: {name: nginx}\n"),
                    {"f.yaml:7:12: spec.containers[0].image: expected text, got a map"}},
        BadManifest{"TextForList",
                    Container("    command: /bin/sh\n"),
                    {"f.yaml:7:14: spec.containers[0].command: expected a list, got \"/bin/sh\"; "
                     "start each item with \"- \""}},
        BadManifest{"MapForList",
                    Pod("spec:\n  containers:\n    name: a\n"),
                    {"f.yaml:6:5: spec.containers: expected a list, got a map; start each item "
                     "with \"- \""}},
        BadManifest{"ListForMap",
                    Pod("spec:\n- containers: []\n"),
                    {"f.yaml:5:1: spec: expected a map of fields, got a list"}},
        BadManifest{"TextForFields",
                    Pod("spec: hello\n"),
                    {"f.yaml:4:7: spec: expected a map of fields, got \"hello\""}},
        BadManifest{"TextForLabels",
                    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels: app=web\n",
                    {"f.yaml:5:11: metadata.labels: expected a map of names to values, got "
                     "\"app=web\""}},
        BadManifest{"EmptyItem",
                    Container("    args:\n    - a\n    -\n"),
                    {"f.yaml:9:5: spec.containers[0].args[1]: this item is empty; fill it in or "
                     "remove it"}},
        BadManifest{"WordForBool",
                    Pod("spec: {enableServiceLinks: nope}\n"),
                    {"f.yaml:4:28: spec.enableServiceLinks: expected true or false, got \"nope\""}},
        BadManifest{"QuotedBool",
                    Pod("spec: {enableServiceLinks: \"true\"}\n"),
                    {"f.yaml:4:28: spec.enableServiceLinks: expected true or false, got the text "
                     "\"true\"; remove the quotes"}},
        BadManifest{"EnumCase",
                    Pod("spec: {restartPolicy: always}\n"),
                    {"f.yaml:4:23: spec.restartPolicy: unknown value \"always\"; did you mean "
                     "\"Always\"? Allowed are Always, OnFailure, Never"}},
        BadManifest{"EnumWord",
                    Container("    imagePullPolicy: Sometimes\n"),
                    {"f.yaml:7:22: spec.containers[0].imagePullPolicy: unknown value "
                     "\"Sometimes\"; allowed are Always, IfNotPresent, Never"}},
        BadManifest{"EnumList",
                    Pod("spec: {dnsPolicy: [Default]}\n"),
                    {"f.yaml:4:19: spec.dnsPolicy: expected one of ClusterFirst, "
                     "ClusterFirstWithHostNet, Default, None; got a list"}},
        BadManifest{"NulInText",
                    ConfigMap("data: {a: \"x\\0y\"}\n"),
                    {"f.yaml:4:11: data[a]: text cannot hold the character \\0; remove it"}}),
    Name);

INSTANTIATE_TEST_SUITE_P(
    Formats, BadManifestTest,
    testing::Values(
        BadManifest{"Quantity",
                    Container("    resources:\n      limits: {memory: 64MB}\n"),
                    {"f.yaml:8:24: spec.containers[0].resources.limits[memory]: \"64MB\" is not a "
                     "quantity; write a number with an optional suffix, like 500m, 2, 64Mi or "
                     "1.5G"}},
        BadManifest{"QuantityBool",
                    Container("    resources: {limits: {cpu: true}}\n"),
                    {"f.yaml:7:31: spec.containers[0].resources.limits[cpu]: expected a quantity "
                     "like 500m or 64Mi, got the bool true"}},
        BadManifest{"QuantityNothing",
                    Container("    resources: {limits: {cpu: }}\n"),
                    {"f.yaml:7:26: spec.containers[0].resources.limits[cpu]: expected a quantity "
                     "like 500m or 64Mi, got nothing"}},
        BadManifest{"QuantityTooLarge",
                    Container("    resources: {limits: {cpu: 10E}}\n"),
                    {"f.yaml:7:31: spec.containers[0].resources.limits[cpu]: \"10E\" is too large; "
                     "quantities end at 2^63 - 1"}},
        BadManifest{"IntOrStringFraction",
                    Deployment("  strategy: {rollingUpdate: {maxSurge: 1.5}}\n"),
                    {"f.yaml:5:40: spec.strategy.rollingUpdate.maxSurge: 1.5 is neither a whole "
                     "number nor text; write 3 or \"25%\""}},
        BadManifest{
            "IntOrStringBool",
            Deployment("  strategy: {rollingUpdate: {maxSurge: no}}\n"),
            {"f.yaml:5:40: spec.strategy.rollingUpdate.maxSurge: expected a whole number or "
             "text, got the bool no"}},
        BadManifest{
            "Base64",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {p: \"secret!\"}\n",
            {"f.yaml:4:11: data[p]: \"secret!\" is not base64; encode it with: base64 -w0"}},
        BadManifest{"Time",
                    "apiVersion: v1\nkind: Node\nmetadata: {name: a}\nspec:\n  taints:\n"
                    "  - {key: a, effect: NoSchedule, timeAdded: yesterday}\n",
                    {"f.yaml:6:45: spec.taints[0].timeAdded: \"yesterday\" is not a time; write it "
                     "in RFC 3339 form, like 2026-01-31T12:00:00Z"}}),
    Name);

INSTANTIATE_TEST_SUITE_P(
    Headers, BadManifestTest,
    testing::Values(
        BadManifest{"NoKind",
                    "apiVersion: v1\nmetadata: {name: a}\n",
                    {"f.yaml:1:1: kind: missing; write for example kind: Deployment"}},
        BadManifest{"NoVersion",
                    "kind: Pod\nmetadata: {name: a}\n",
                    {"f.yaml:1:1: apiVersion: missing; write for example apiVersion: v1"}},
        BadManifest{"NoName",
                    "apiVersion: v1\nkind: Pod\nmetadata: {labels: {}}\n",
                    {"f.yaml:3:1: metadata.name: missing; give the object a name"}},
        BadManifest{"NoMetadata",
                    "# c\napiVersion: v1\nkind: Pod\n",
                    {"f.yaml:2:1: metadata.name: missing; give the object a name"}},
        BadManifest{"EmptyName",
                    "apiVersion: v1\nkind: Pod\nmetadata: {name: \"\"}\n",
                    {"f.yaml:3:18: metadata.name: empty; give the object a name"}},
        BadManifest{
            "WrongVersion",
            "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: a}\n",
            {"f.yaml:1:13: apiVersion: \"extensions/v1beta1\" has no kind Deployment; write "
             "apiVersion: apps/v1"}},
        BadManifest{"UnknownKind",
                    "apiVersion: v1\nkind: Deploymnt\nmetadata: {name: a}\n",
                    {"f.yaml:2:7: kind: unknown kind \"Deploymnt\"; did you mean \"Deployment\"?"}},
        BadManifest{"KindInLowerCase",
                    "apiVersion: v1\nkind: pod\nmetadata: {name: a}\n",
                    {"f.yaml:2:7: kind: unknown kind \"pod\"; did you mean \"Pod\"?"}},
        BadManifest{"KindIsList",
                    "apiVersion: v1\nkind: [Pod]\n",
                    {"f.yaml:2:7: kind: expected text, got a list"}},
        BadManifest{"NotAnObject",
                    "- apiVersion: v1\n",
                    {"f.yaml:1:1: expected an object with apiVersion and kind, got a list"}},
        BadManifest{"Word",
                    "hello\n",
                    {"f.yaml:1:1: expected an object with apiVersion and kind, got \"hello\""}},
        BadManifest{"ItemsNoList",
                    "apiVersion: v1\nkind: List\nitems: {a: 1}\n",
                    {"f.yaml:3:8: items: expected a list, got a map"}},
        BadManifest{"UnknownInList",
                    "apiVersion: v1\nkind: List\nitmes: []\n",
                    {"f.yaml:3:1: itmes: unknown field; did you mean \"items\"?"}},
        BadManifest{"EveryDocument",
                    "apiVersion: v1\nkind: Pod\n---\nkind: Pod\nmetadata: {name: a}\n---\nx\n",
                    {"f.yaml:1:1: metadata.name: missing; give the object a name",
                     "f.yaml:4:1: apiVersion: missing; write for example apiVersion: v1",
                     "f.yaml:7:1: expected an object with apiVersion and kind, got \"x\""}}),
    Name);

INSTANTIATE_TEST_SUITE_P(
    Yaml, BadManifestTest,
    testing::Values(
        BadManifest{"CycleInElevenBytes",
                    "a: &x [*x]\n",
                    {"f.yaml:1:8: this alias stands inside of what it refers to; break the cycle"}},
        BadManifest{"CycleInMap",
                    "a: &x {b: *x}\n",
                    {"f.yaml:1:11: this alias stands inside of what it refers to; break the "
                     "cycle"}},
        BadManifest{"DuplicateKey",
                    Deployment("  replicas: 1\n  replicas: 2\n"),
                    {"f.yaml:6:3: \"replicas\": this key stands twice in one map; remove one"}},
        BadManifest{"DuplicateQuotedKey",
                    ConfigMap("data: {a: x, \"a\": y}\n"),
                    {"f.yaml:4:14: \"a\": this key stands twice in one map; remove one"}},
        BadManifest{"CustomTag",
                    Pod("spec: !mine {}\n"),
                    {"f.yaml:4:7: the tag !mine is not supported; remove it"}},
        BadManifest{"BinaryTag",
                    ConfigMap("data: {a: !!binary aGk=}\n"),
                    {"f.yaml:4:11: the tag tag:yaml.org,2002:binary is not supported; remove it"}},
        BadManifest{"TagDirective",
                    "%TAG ! tag:example.com,2000:\n---\na: 1\n",
                    {"f.yaml:1:1: a line starts with %; directives other than %YAML are not "
                     "supported, text must be indented or quoted",
                     "f.yaml:3:1: kind: missing; write for example kind: Deployment",
                     "f.yaml:3:1: apiVersion: missing; write for example apiVersion: apps/v1"}},
        BadManifest{"UnknownAlias",
                    Pod("spec: *nowhere\n"),
                    {"f.yaml:4:7: not valid YAML: this alias names no anchor above it"}},
        BadManifest{"TemplateBraces",
                    Pod("spec:\n  nodeName: {{ .node }}\n"),
                    {"f.yaml:5:14: a list or a map cannot be a key; write a word. (Text in braces, "
                     "like a template's {{ }}, must be quoted)"}},
        BadManifest{"EmptyKey",
                    Pod("spec: {: 1}\n"),
                    {"f.yaml:4:8: a key is empty; write its name or remove it"}},
        BadManifest{"MergeOfText",
                    Pod("spec:\n  <<: hello\n"),
                    {"f.yaml:5:7: <<: wants a map, or a list of maps, to merge"}},
        BadManifest{"BoolKey",
                    ConfigMap("data:\n  on: x\n"),
                    {"f.yaml:5:3: data[on]: unquoted, this key means \"true\"; quote it: \"on\""}},
        BadManifest{"OctalKey",
                    ConfigMap("data:\n  0755: x\n"),
                    {"f.yaml:5:3: data[0755]: unquoted, this key means \"493\"; quote it: "
                     "\"0755\""}},
        BadManifest{"TabIndent",
                    Pod("spec:\n\tcontainers: []\n"),
                    {"f.yaml:5:12: not valid YAML: the line is indented with a tab; use spaces"}},
        BadManifest{"OpenBrace",
                    Pod("spec: {containers: []\n"),
                    {"f.yaml:5:1: not valid YAML: a { is not closed, or a comma is missing before "
                     "this"}},
        BadManifest{"OpenQuote",
                    Pod("spec: \"abc\n"),
                    {"f.yaml:5:1: not valid YAML: the text ends inside of quotes; close them"}},
        BadManifest{"OpenQuoteWithoutLineEnd",
                    Pod("spec: 'abc"),
                    {"f.yaml:4:11: not valid YAML: the text ends inside of quotes; close them"}},
        BadManifest{"OpenQuoteBeforeBlanks",
                    Pod("spec: \"abc\n  "),
                    {"f.yaml:5:3: not valid YAML: the text ends inside of quotes; close them"}},
        BadManifest{"OpenQuoteBeforeDocument",
                    Pod("spec: \"abc\n---\n"),
                    {"f.yaml:5:1: not valid YAML: the text ends inside of quotes; close them"}},
        BadManifest{"ColonInText",
                    ConfigMap("data:\n  a: b: c\n"),
                    {"f.yaml:5:7: not valid YAML: a \":\" cannot stand here; quote the text if the "
                     "colon belongs to it, or check the indentation"}},
        BadManifest{"WrongIndent",
                    Pod("spec:\n   hostname: a\n  nodeName: b\n"),
                    {"f.yaml:6:3: not valid YAML: this line does not fit into the map around it; "
                     "check its indentation and that the key ends in \": \""}},
        BadManifest{"DirectiveAtTheEnd",
                    Pod("%foo\n"),
                    {"f.yaml:4:1: a line starts with %; directives other than %YAML are not "
                     "supported, text must be indented or quoted"}},
        BadManifest{"AfterDocumentEnd",
                    Pod("... more\n"),
                    {"f.yaml:4:5: this does not belong to the value before it; check the "
                     "indentation, or separate documents with ---"}},
        BadManifest{"HalfASurrogatePair",
                    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"\\ud83d\"}}",
                    {"f.yaml:1:59: not valid YAML: this escape names no character; write the "
                     "character itself instead of a surrogate pair"}},
        BadManifest{"AfterSurrogatePairs",
                    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"},\n"
                    "\"data\":{\"k\":\"\\ud83d\\ude00\\uD83D\\uDE00\",\"n\":1}}",
                    {"f.yaml:2:44: data[n]: expected text, got the number 1; quote it: \"1\""}},
        BadManifest{"AfterFlow",
                    "{apiVersion: v1, kind: Pod, metadata: {name: a}}\nspec: {}\n",
                    {"f.yaml:2:1: this does not belong to the value before it; check the "
                     "indentation, or separate documents with ---"}},
        BadManifest{"NotUtf8",
                    Pod("spec: {nodeName: \"\xff\"}\n"),
                    {"f.yaml:4:19: this is not UTF-8 text; save the file as UTF-8"}},
        BadManifest{"ControlCharacter",
                    Pod("spec: {nodeName: \"\x04\"}\n"),
                    {"f.yaml:4:19: control character 0x04; write it as \"\\x04\" in double "
                     "quotes"}},
        BadManifest{"BadEscape",
                    Pod("spec: {nodeName: \"\\q\"}\n"),
                    {"f.yaml:4:21: not valid YAML: double quotes know no such escape; write \\\\ "
                     "for a backslash"}},
        BadManifest{"ColumnsCountCharacters",
                    Pod("spec: {nodeName: \"\u00e4\u00e4\", quux: 1}\n"),
                    {"f.yaml:4:24: spec.quux: unknown field; PodSpec has no such field"}}),
    Name);

// What yaml-cpp might let pass: nothing that was written may vanish.
TEST(ReaderErrors, NothingIsDroppedInSilence) {
  for (const char* spec : {"spec: {nodeName: a hostname: b}",
                           "spec: {nodeName: \"a\" \"b\"}",
                           "spec: {} x",
                           "spec: [] x",
                           "spec:\n  nodeName: \"a\" b",
                           "spec:\n  nodeName: \"a\"b",
                           "spec:\n  nodeName: 'a' 'b'",
                           "spec: {nodeName: [a b: c]}",
                           "spec:\n  nodeName: |\n    a\n   b",
                           "spec:\n  nodeName: | a\n",
                           "spec: &a &b {}",
                           "spec: !!map !!map {}",
                           "spec: {}\n]",
                           "spec: {}}\n",
                           "spec: {,}",
                           "spec: {nodeName: a,,}",
                           "spec:\n  nodeName: a\n    b: c\n",
                           "spec: @a",
                           "spec: `a",
                           "spec: {nodeName: @a}",
                           "spec:\n- nodeName: a\n  - b\n",
                           "spec: {}\n- a\n",
                           "- a\nspec: {}\n",
                           "spec: {}\n  x\n",
                           "spec:\n  ? nodeName\n  ? : x\n",
                           "spec: {nodeName: a\n",
                           "? spec: {}\n",
                           "spec: {? nodeName : [a}",
                           "spec: \"\\x4\"",
                           "&a\n",
                           "*a\n",
                           "! \n",
                           ": \n",
                           "spec: *\n",
                           "spec: {\"nodeName\" \"a\"}\n",
                           "spec: {nodeName: a}: b\n",
                           "spec:\n  nodeName: a: b\n"}) {
    EXPECT_FALSE(ReadManifests(Pod(spec), "f.yaml").ok()) << spec;
  }
}

TEST(ReaderErrors, AreBounded) {
  std::string text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n";
  for (int i = 0; i < 100; ++i) text += "  quux" + std::to_string(i) + ": 1\n";
  const ReadResult result = ReadManifests(text, "f.yaml");
  ASSERT_EQ(result.errors.size(), 21u);
  EXPECT_EQ(result.errors.back().ToString(), "f.yaml: there may be more errors; mend these first");
}

TEST(ReaderErrors, BadDocumentsDoNotHideTheNext) {
  const ReadResult result = ReadManifests("a: [\n---\nb: ]\n", "-");
  ASSERT_EQ(result.errors.size(), 2u);
  EXPECT_EQ(result.errors[0].file, "stdin");
  EXPECT_EQ(result.errors[1].at.line, 3);
}

TEST(ReaderErrors, BecomeOneStatus) {
  EXPECT_TRUE(ToStatus({}).ok());
  const absl::Status status = ToStatus({{"f", {1, 2}, "bad"}, {"f", {}, "worse"}});
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(), "f:1:2: bad\nf: worse");
}

}  // namespace
}  // namespace cluster
