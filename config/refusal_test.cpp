// What is refused, where, and with which message. Each case appends to the minimal file or replaces it.
#include <gmock/gmock.h>

#include "config/load.hpp"
#include "config/testing/load.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class Refusals : public testing::TestWithParam<Refusal> {};

// A socket of each family for each port.
std::string with_ports(std::size_t number) {
  std::string binds;
  for (std::size_t port = 1; port <= number; ++port) {
    binds += (port == 1 ? "\":" : ", \":") + std::to_string(port) + "\"";
  }
  return with_listeners("  - { name: web, bind: [" + binds + "] }\n");
}

TEST(TooManySockets, AreRefusedWhereTheyBegin) {
  EXPECT_THAT(problems_of(with_ports(listening_sockets_max / 2)), IsEmpty());
  const std::string too_many = with_ports(listening_sockets_max / 2 + 2);
  const std::size_t column = too_many.find("\":32501\"") - std::string("version: 1\nlisteners:\n").size() + 1;
  EXPECT_THAT(problems_of(too_many),
              ElementsAre(StartsWith("f:3:" + std::to_string(column) + ": more than 65000 addresses")));
}

// The output of `print` is longer than its input, and a rollback reads it again.
TEST(AConfiguration, ThatIsLongerWrittenOutIsReadFromMemory) {
  std::string listeners;
  for (int port = 1; port <= 20'000; ++port) {
    const std::string number = std::to_string(port);
    listeners += "  - {name: l" + number + ",protocol: tcp,bind: \":" + number + "\"}\n";
  }
  const std::string file = with_listeners(listeners);
  const Config config = config_of(file);
  const std::string written = print(config);
  EXPECT_GT(written.size(), file_bytes_max);
  EXPECT_EQ(std::get<Config>(load_text(written, "f", test_environment, written_bytes_max)), config);
}

TEST_P(Refusals, NamePlaceAndReason) {
  expect_refused(GetParam());
}

// Like `with_listeners`, with a second upstream.
std::string with_listeners_of_two(const std::string& entries) {
  return "version: 1\nlisteners:\n" + entries +
         "upstreams: [ { name: app, servers: [ { address: \"127.0.0.1:9000\" } ] },\n"
         "             { name: db, servers: [ { address: \"127.0.0.1:5432\" } ] } ]\n";
}

const Refusal shapes[] = {
    {"EmptyFile",
     "",
     {"f:1:1: `listeners` is missing at the top level", "f:1:1: `upstreams` is missing",
      "f:1:1: `version` is missing"}},
    {"OnlyComments", "# x\n", {"f:1:1: `listeners`", "f:1:1: `upstreams`", "f:1:1: `version`"}},
    {"TopLevelList", "- version: 1\n", {"f:1:1: expected keys with values"}},
    {"TwoDocuments", minimal + "---\nversion: 1\n", {"f:8:1: a second YAML document"}},
    {"SyntaxError", "version: 1\nlisteners: [\n  a\n", {"f:2:12: this `[` is never closed"}},
    {"TabIndentation", "version: 1\nlimits:\n\tfields: 1\n", {"f:3:8: YAML: illegal map value; YAML is indented with"}},
    {"UnquotedReferenceInBraces",
     minimal + "log: { level: ${LEVEL} }\n",
     {"f:8:16: YAML: end of map flow not found; inside braces or brackets ${NAME} must be in quotes"}},
    {"UnquotedV6",
     "version: 1\nlisteners:\n  - bind: [::1]:80\n",
     {"f:3:16: YAML: end of map not found; an IPv6 address must be in quotes"}},
    {"ControlCharacter", "version: 1\nlog: \x04\n", {"f:2:6: the byte 0x04 is not text"}},
    {"NotUtf8", "version: 1\n# \xff\n", {"f:2:3: the byte 0xff is not text"}},
    {"Utf16", std::string("v\0e\0", 4), {"f:1:2: the byte 0x00 is not text"}},
    {"UnknownAnchor", "version: *one\n", {"f:1:10: YAML: the referenced anchor is not defined"}},
    {"AliasOfItself", "version: 1\nlisteners: &a [ *a ]\n", {"f:2:17: an alias must not be inside"}},
    {"MergeKey", minimal + "limits:\n  <<: { fields: 1 }\n", {"f:9:3: merge keys (`<<`) are not supported"}},
    {"Tag", minimal + "workers: !!int 1\n", {"f:8:10: tags are not supported: `tag:yaml.org,2002:int`"}},
    {"KeyIsAList", minimal + "? [a]\n: 1\n", {"f:8:3: a key must be text"}},
    {"NestedTooDeep",
     "version: " + std::string(40, '[') + std::string(40, ']'),
     {"f:1:41: nested more than 32 levels deep"}},
};
INSTANTIATE_TEST_SUITE_P(OfShape, Refusals, testing::ValuesIn(shapes), [](const auto& i) { return i.param.title; });

const Refusal keys[] = {
    {"UnknownTopLevelKey",
     minimal + "worker: 2\n",
     {"f:8:1: unknown key `worker` at the top level; did you mean `workers`? (expected: version, listeners, routes, "
      "upstreams, timeouts, limits, handoff, admin, pid_file, workers, log, underscores, "}},
    {"UnknownKeyWithoutAGuess", minimal + "user: www\n", {"f:8:1: unknown key `user` at the top level (expected: "}},
    {"UnknownTimeout",
     minimal + "timeouts:\n  idel: 5s\n",
     {"f:9:3: unknown key `idel` in `timeouts`; did you mean `idle`?"}},
    {"UnknownListenerKey",
     with_listeners("  - name: web\n    bind: :80\n    listen: x\n"),
     {"f:5:5: unknown key `listen` on a listener; did you mean `bind`? (expected: name, bind, protocol, upstream, "}},
    {"UnknownServerKey",
     with_upstreams("  - { name: app, servers: [ { adress: \"a:1\" } ] }\n"),
     {"f:3:31: unknown key `adress` on a server; did you mean `address`?"}},
    {"DuplicateAtTheTop", minimal + "version: 1\n", {"f:8:1: duplicate key `version` in line 8, first in line 1"}},
    {"DuplicateBelow",
     minimal + "log:\n  level: info\n  \"level\": error\n",
     {"f:10:3: duplicate key `level` in line 10, first in line 9"}},
    {"DuplicateInAnUnknownPlace",
     minimal + "x:\n  a: 1\n  a: 2\n",
     {"f:8:1: unknown key `x`", "f:10:3: duplicate key `a` in line 10, first in line 9"}},
    {"DuplicateInBraces",
     with_listeners("  - { name: a, bind: \":80\", bind: \":81\" }\n"),
     {"f:3:29: duplicate key `bind` in line 3, first in line 3"}},
    {"MissingVersion", minimal.substr(minimal.find('\n') + 1), {"f:1:1: `version` is missing at the top level"}},
    {"OtherVersion", "version: 2" + minimal.substr(10), {"f:1:10: `version`: `2` is not known"}},
    {"SectionIsText",
     minimal + "handoff: none\n",
     {"f:8:10: `handoff`: expected keys with values (keys: socket, ready_timeout, "}},
    {"SectionLacksAColon", minimal + "timeouts:\n  head 5s\n", {"f:9:3: `timeouts`: a colon is missing after `head`"}},
    {"SectionLacksTwoColons",
     minimal + "timeouts:\n  head 5s\n  idle 5s\n",
     {"f:9:3: `timeouts`: a colon is missing after `head`"}},
    {"SectionLacksABlank",
     minimal + "timeouts:\n  head:5s\n",
     {"f:9:3: `timeouts`: a space is missing after the colon of `head`"}},
    {"SectionIsAListOfItsKeys",
     minimal + "timeouts:\n  - head: 5s\n",
     {"f:9:3: `timeouts`: expected keys with values, not a list of them: leave out the `-`"}},
    {"SectionIsAList", minimal + "timeouts: [ 5s ]\n", {"f:8:11: `timeouts`: expected keys with values"}},
    {"ValueIsMissing", minimal + "limits:\n  fields:\n", {"f:9:3: `fields`: a value is missing"}},
    {"ValueIsAList", minimal + "workers: [ 1 ]\n", {"f:8:10: `workers`: expected one value, not a list or keys"}},
};
INSTANTIATE_TEST_SUITE_P(OfKeys, Refusals, testing::ValuesIn(keys), [](const auto& i) { return i.param.title; });

const Refusal values[] = {
    {"DurationWithoutUnit",
     minimal + "timeouts: { idle: 75 }\n",
     {"f:8:19: `idle`: `75` needs a unit: 500ms, 5s, 1m or 1h"}},
    {"NegativeDuration", minimal + "timeouts: { idle: -5s }\n", {"f:8:19: `idle`: `-5s` must not be negative"}},
    {"FractionOfADuration", minimal + "timeouts: { idle: 1.5s }\n", {"f:8:19: `idle`: `1.5s` must be a whole number"}},
    {"ZeroTimeout", minimal + "timeouts: { head: 0 }\n", {"f:8:19: `head`: `0` must be from 1ms to 8760h"}},
    {"TooLongATimeout", minimal + "timeouts: { idle: 8761h }\n", {"f:8:19: `idle`: `8761h` must be from 1ms to 8760h"}},
    {"OverflowingTimeout",
     minimal + "timeouts: { idle: 99999999999999999999h }\n",
     {"f:8:19: `idle`: `99999999999999999999h` is too large"}},
    {"SmallBuffer",
     minimal + "limits: { buffer_bytes: 4095 }\n",
     {"f:8:25: `buffer_bytes`: `4095` must be from 4k to 4m"}},
    {"NoBuffer", minimal + "limits: { buffer_bytes: 0 }\n", {"f:8:25: `buffer_bytes`: `0` must be from 4k to 4m"}},
    {"LargeBuffer",
     minimal + "limits: { buffer_bytes: 4097k }\n",
     {"f:8:25: `buffer_bytes`: `4097k` must be from 4k to 4m"}},
    {"NoHead", minimal + "limits: { head_bytes: 0 }\n", {"f:8:23: `head_bytes`: `0` must be from 1k to 1m"}},
    {"LargeHead", minimal + "limits: { head_bytes: 2m }\n", {"f:8:23: `head_bytes`: `2m` must be from 1k to 1m"}},
    {"UriBeyondHead",
     minimal + "limits:\n  uri_bytes: 16k\n  head_bytes: 8k\n",
     {"f:9:14: `uri_bytes` 16k is more than `head_bytes` 8k"}},
    {"ManyFields",
     minimal + "limits: { fields: 10001 }\n",
     {"f:8:19: `fields`: `10001` must be from 1 to 10000, or 0 for no limit"}},
    {"UnknownSizeUnit",
     minimal + "limits: { body_bytes: 1kb }\n",
     {"f:8:23: `body_bytes`: `1kb` is not a size; write bytes, or 64k, 1m, 1g"}},
    {"NoWorkers", minimal + "workers: 0\n", {"f:8:10: `workers`: `0` must be from 1 to 256"}},
    {"ManyWorkers", minimal + "workers: 257\n", {"f:8:10: `workers`: `257` must be from 1 to 256"}},
    {"RelativePidFile",
     minimal + "pid_file: baton.pid\n",
     {"f:8:11: `pid_file`: `baton.pid` must be the absolute path of a file"}},
    {"RelativeHandoffSocket",
     minimal + "handoff: { socket: h.sock }\n",
     {"f:8:20: `socket`: the path of a Unix socket must be absolute"}},
    {"BadAdminAddress",
     minimal + "admin: { bind: unix:a.sock }\n",
     {"f:8:16: `bind`: the path of a Unix socket must be absolute"}},
    {"UnknownLevel",
     minimal + "log: { level: warm }\n",
     {"f:8:15: `level`: unknown value `warm`; did you mean `warn`? (expected: debug, info, warn, error)"}},
    {"UnknownLogFormat",
     minimal + "log: { format: xml }\n",
     {"f:8:16: `format`: unknown value `xml` (expected: text, json)"}},
    {"UnknownFormat",
     minimal + "log: { access: { path: \"-\", format: xml } }\n",
     {"f:8:37: `format`: unknown value `xml` (expected: combined, json, logfmt)"}},
    {"AccessIsOff",
     minimal + "log: { access: off }\n",
     {"f:8:16: `access`: expected keys with values, as in `{ path: \"\" }`"}},
    {"AccessIsAPath",
     minimal + "log: { access: /var/log/access }\n",
     {"f:8:16: `access`: expected keys with values, as in `{ path: \"/var/log/access\" }`"}},
    {"UnsetVariable",
     minimal + "workers: ${ABSENT}\n",
     {"f:8:10: `workers`: the environment variable `ABSENT` is not set"}},
    {"EmptyVariable", minimal + "workers: ${EMPTY}\n", {"f:8:10: `workers`: a number is missing"}},
    {"LineFeedFromTheEnvironment",
     minimal + "pid_file: /run/${TWO_LINES}\n",
     {"f:8:11: `pid_file`: `/run/a?b` must be one line of UTF-8"}},
    {"EscapedControlCharacter",
     minimal + "pid_file: \"/run/\\0\"\n",
     {"f:8:11: `pid_file`: `/run/?` must be one line of UTF-8"}},
    {"ViaIsNotAFlag", minimal + "via: no\n", {"f:8:6: `via`: unknown value `no` (expected: false)"}},
    {"UnderscoresAreNeither",
     minimal + "underscores: allow\n",
     {"f:8:14: `underscores`: unknown value `allow` (expected: drop, pass)"}},
    {"WatchIsNotAFlag", minimal + "watch: on\n", {"f:8:8: `watch`: unknown value `on` (expected: auto, true, false)"}},
};
INSTANTIATE_TEST_SUITE_P(OfValues, Refusals, testing::ValuesIn(values), [](const auto& i) { return i.param.title; });

const Refusal services[] = {
    {"NoListeners", with_listeners("  []\n"), {"f:3:3: `listeners`: expected a list with at least one entry"}},
    {"ListenersAreAMap", with_listeners("  web: x\n"), {"f:3:3: `listeners`: expected a list"}},
    {"ListenerIsText",
     with_listeners("  - \":8081\"\n"),
     {"f:3:5: `listeners`: expected keys with values, as in `{ name: web, bind: \":8081\" }`"}},
    {"ListenerWithoutName", with_listeners("  - bind: :80\n"), {"f:3:5: `name` is missing on a listener"}},
    {"ListenerWithoutBind", with_listeners("  - name: a\n"), {"f:3:5: `bind` is missing on a listener"}},
    {"EmptyBindList", with_listeners("  - { name: a, bind: [] }\n"), {"f:3:22: `bind`: the list is empty"}},
    {"BadName",
     with_listeners("  - { name: \"a b\", bind: \":80\" }\n"),
     {"f:3:13: `name`: `a b` must be 1 to 64 letters, digits"}},
    {"PortOutOfRange",
     with_listeners("  - { name: a, bind: \":65536\" }\n"),
     {"f:3:22: `bind`: the port `65536` must be from 0 to 65535"}},
    {"PortZero",
     with_upstreams("  - { name: a, servers: [ { address: \"a:0\" } ] }\n"),
     {"f:3:38: `address`: the port `0` must be from 1 to 65535"}},
    {"V6WithoutBrackets",
     with_listeners("  - { name: a, bind: \"::1:80\" }\n"),
     {"f:3:22: `bind`: `::1:80`: an IPv6 address must stand in brackets"}},
    {"EveryBadBind",
     with_listeners("  - { name: a, bind: [ x, \":80\", y ] }\n"),
     {"f:3:24: `bind`: `x` has no port", "f:3:34: `bind`: `y` has no port"}},
    {"TwoListenersOfOneName",
     with_listeners("  - { name: a, bind: \":80\" }\n  - { name: a, bind: \":81\" }\n"),
     {"f:4:13: the name `a` is already taken in line 3"}},
    {"TwoListenersOnOneAddress",
     with_listeners("  - { name: a, bind: \"0.0.0.0:80\" }\n  - { name: b, bind: \":80\" }\n"),
     {"f:4:22: `:80` cannot be bound together with `0.0.0.0:80` of listener `a` in line 3"}},
    {"TwoBindsOnOneAddress",
     with_listeners("  - { name: a, bind: [ \"h:80\", \"h:80\" ] }\n"),
     {"f:3:32: `h:80` cannot be bound together with `h:80` of listener `a` in line 3"}},
    {"AdminOnAListener",
     minimal + "admin: { bind: \":8080\" }\n",
     {"f:8:16: `:8080` cannot be bound together with `127.0.0.1:8080` of listener `web` in line 4"}},
    {"AdminTwice",
     minimal + "admin: { bind: [ \":9901\", \"127.0.0.1:9901\" ] }\n",
     {"f:8:27: `127.0.0.1:9901` cannot be bound together with `:9901` of `admin` in line 8"}},
    {"AutomaticAdminTwice", minimal + "admin: { bind: [ auto, auto ] }\n", {"f:8:24: `bind`: `auto` appears twice"}},
    {"OneOfSeveralAdminsOnAListener",
     minimal + "admin: { bind: [ unix:/a, \"127.0.0.1:8080\" ] }\n",
     {"f:8:27: `127.0.0.1:8080` cannot be bound together with `127.0.0.1:8080` of listener `web` in line 4"}},
    {"AdminIsOff",
     minimal + "admin: { bind: off }\n",
     {"f:8:16: `bind`: the admin interface cannot be switched off; `auto` is a socket that only the user who runs "
      "Baton "
      "can connect to"}},
    {"AdminIsOffInAList", minimal + "admin: { bind: [ none ] }\n", {"f:8:18: `bind`: the admin interface cannot be"}},
    {"AdminIsAnAddress",
     minimal + "admin: 127.0.0.1:9902\n",
     {"f:8:8: `admin`: expected keys with values, as in `{ bind: \"127.0.0.1:9902\" }`"}},
    {"ShortToken",
     minimal + "admin: { token: 0123456789abcde }\n",
     {"f:8:17: `token`: a token has 16 to 1024 characters; `openssl rand -hex 32` makes one"}},
    {"TokenOfOtherCharacters",
     minimal + "admin: { token: \"0123456789 abcdef\" }\n",
     {"f:8:17: `token`: a token consists of letters, digits and - . _ ~ + / =; `openssl rand -hex 32` makes one"}},
    {"NoAdmin", minimal + "admin: { bind: [] }\n", {"f:8:16: `bind`: the list is empty"}},
    {"OneBadAdmin", minimal + "admin: { bind: [ unix:/a, x ] }\n", {"f:8:27: `bind`: `x` has no port; write `x:8080`"}},
    {"HandoffOnAdmin",
     minimal + "handoff: { socket: /s }\nadmin: { bind: unix:/s }\n",
     {"f:9:16: `unix:/s` cannot be bound together with `unix:/s` of `handoff.socket` in line 8"}},
    {"NoServers",
     with_upstreams("  - { name: app, servers: [] }\n"),
     {"f:3:27: `servers`: expected a list with at least one entry"}},
    {"UpstreamWithoutServers", with_upstreams("  - name: app\n"), {"f:3:5: `servers` is missing on an upstream"}},
    {"ServerIsText",
     with_upstreams("  - { name: app, servers: [ 127.0.0.1:9000 ] }\n"),
     {"f:3:29: `servers`: expected keys with values, as in `{ address: \"127.0.0.1:9000\" }`"}},
    {"ServerIsAPort",
     with_upstreams("  - { name: app, servers: [ 9001 ] }\n"),
     {"f:3:29: `servers`: expected keys with values, as in `{ address: \"127.0.0.1:9000\" }`"}},
    {"UpstreamIsText",
     "version: 1\nlisteners: [ { name: a, bind: \":80\" } ]\nupstreams: [ app.internal:9000 ]\n",
     {"f:3:14: `upstreams`: expected keys with values, as in `{ name: app, servers: [ { address: \"app.internal:9000\" "
      "} ] }`"}},
    {"RouteIsText",
     minimal + "routes: [ app ]\n",
     {"f:8:11: `routes`: expected keys with values, as in `{ upstream: app }`"}},
    {"ServerWithoutHost",
     with_upstreams("  - { name: app, servers: [ { address: \":1\" } ] }\n"),
     {"f:3:40: `address`: `:1` names no host to connect to; write `127.0.0.1:1` for this machine"}},
    {"PortAlone",
     with_listeners("  - { name: a, bind: 8080 }\n"),
     {"f:3:22: `bind`: `8080` is only a port; write `\":8080\"`, or `127.0.0.1:8080` for this machine alone"}},
    {"PortAloneOfAServer",
     with_upstreams("  - { name: app, servers: [ { address: 9000 } ] }\n"),
     {"f:3:40: `address`: `9000` is only a port; write `127.0.0.1:9000` for this machine"}},
    {"WeightOfNothing",
     with_upstreams("  - { name: app, servers: [ { address: \"a:1\", weight: 0 } ] }\n"),
     {"f:3:55: `weight`: `0` must be from 1 to 256"}},
    {"TwoUpstreamsOfOneName",
     with_upstreams("  - { name: a, servers: [ { address: \"a:1\" } ] }\n  - { name: a, servers: [ { address: \"a:1\" "
                    "} ] }\nroutes: [ { upstream: a } ]\n"),
     {"f:4:13: the name `a` is already taken in line 3"}},
    {"SeveralUpstreamsAndNoRoute",
     with_upstreams(
         "  - { name: a, servers: [ { address: \"a:1\" } ] }\n  - { name: b, servers: [ { address: \"a:1\" } ] }\n"),
     {"f:3:3: there are several upstreams; `routes: [ { upstream: NAME } ]` must name one"}},
    {"DanglingRoute",
     minimal + "routes:\n  - upstream: apq\n",
     {"f:9:15: there is no upstream `apq`; did you mean `app`?"}},
    {"RouteWithoutUpstream", minimal + "routes: [ {} ]\n", {"f:8:11: `upstream` is missing on a route"}},
    {"NoRoutes", minimal + "routes: []\n", {"f:8:9: `routes`: expected a list with at least one entry"}},
};
INSTANTIATE_TEST_SUITE_P(OfServices, Refusals, testing::ValuesIn(services),
                         [](const auto& i) { return i.param.title; });

const Refusal listener_upstreams[] = {
    {"UnknownProtocolAndNothingBecauseOfIt",
     with_listeners_of_two("  - { name: a, bind: \":80\", protocol: tpc, upstream: dbb }\n"),
     {"f:3:39: `protocol`: unknown value `tpc`; did you mean `tcp`? (expected: http, tcp)"}},
    {"Dangling",
     with_listeners("  - { name: a, bind: \":80\", protocol: tcp, upstream: apq }\n"),
     {"f:3:54: there is no upstream `apq`; did you mean `app`?"}},
    {"DanglingBeforeItsProtocol",
     with_listeners_of_two("  - { name: a, bind: \":80\", upstream: bd, protocol: tcp }\n"),
     {"f:3:39: there is no upstream `bd`; did you mean `db`?"}},
    {"DanglingWithoutAGuess",
     with_listeners_of_two("  - { name: a, bind: \":80\", protocol: tcp, upstream: postgres }\n"),
     {"f:3:54: there is no upstream `postgres`"}},
    {"BadName",
     with_listeners("  - { name: a, bind: \":80\", protocol: tcp, upstream: \"a b\" }\n"),
     {"f:3:54: `upstream`: `a b` must be 1 to 64 letters, digits"}},
    {"WithoutAValue",
     with_listeners("  - { name: a, bind: \":80\", protocol: tcp, upstream: ~ }\n"),
     {"f:3:44: `upstream`: a value is missing"}},
    {"OnHttp",
     with_listeners("  - { name: a, bind: \":80\", protocol: http, upstream: app }\n"),
     {"f:3:55: `upstream` is for tcp listeners; on an http listener `routes` choose the upstream"}},
    {"OnHttpByDefault",
     with_listeners("  - { name: a, bind: \":80\", upstream: app }\n"),
     {"f:3:39: `upstream` is for tcp listeners; on an http listener `routes` choose the upstream"}},
    {"MissingAmongSeveral",
     with_listeners_of_two("  - { name: a, bind: \":80\", protocol: tcp }\n"),
     {"f:3:5: `upstream` is missing on a tcp listener; there are several upstreams and it must name one of them"}},
    {"MissingBesideARoute",
     with_listeners_of_two("  - { name: a, bind: \":80\", protocol: tcp }\n") + "routes: [ { upstream: app } ]\n",
     {"f:3:5: `upstream` is missing on a tcp listener"}},
    {"MissingWhileThereIsNone",
     "version: 1\nlisteners: [ { name: a, bind: \":80\", protocol: tcp } ]\n",
     {"f:1:1: `upstreams` is missing at the top level"}},
    {"OneHttpListenerNeedsARoute",
     with_listeners_of_two("  - { name: a, bind: \":80\", protocol: tcp, upstream: db }\n"
                           "  - { name: b, bind: \":81\" }\n"),
     {"f:5:12: there are several upstreams; `routes: [ { upstream: NAME } ]` must name one"}},
    {"DanglingRouteThatNobodyNeeds",
     with_listeners("  - { name: a, bind: \":80\", protocol: tcp }\n") + "routes: [ { upstream: apq } ]\n",
     {"f:5:23: there is no upstream `apq`; did you mean `app`?"}},
};
INSTANTIATE_TEST_SUITE_P(OfListenerUpstreams, Refusals, testing::ValuesIn(listener_upstreams),
                         [](const auto& i) { return i.param.title; });

TEST(Refusals, ReportEveryProblemInTheOrderOfTheFile) {
  EXPECT_THAT(problems_of("version: 3\n"
                          "limits: { fields: x }\n"
                          "listeners:\n"
                          "  - { name: a, bind: \":80\", tls: {} }\n"
                          "  - { name: a, bind: \":80\" }\n"
                          "limits: { fields: 1 }\n"
                          "upstreams: [ { name: u, servers: [ { address: \"h\" } ] } ]\n"
                          "routes: [ { upstream: v } ]\n"
                          "workres: 1\n"),
              ElementsAre(HasSubstr("f:1:10: "), HasSubstr("f:2:19: "), HasSubstr("f:4:34: "), HasSubstr("f:5:13: "),
                          HasSubstr("f:5:22: "), HasSubstr("f:6:1: "), HasSubstr("f:7:47: "), HasSubstr("f:8:23: "),
                          HasSubstr("f:9:1: ")));
}

TEST(Refusals, StayOnOneLineWhateverTheKeyIs) {
  EXPECT_THAT(problems_of(minimal + "\"a\\nb\\e[31m" + std::string(1000, 'x') + "\": 1\n"),
              ElementsAre(StartsWith("f:8:1: unknown key `a?b?[31m" + std::string(56, 'x') + "...` at the top level")));
}

TEST(Refusals, TheMinimalFileIsNotAmongThem) {
  EXPECT_THAT(problems_of(minimal), IsEmpty());
}

}  // namespace
}  // namespace baton::config
