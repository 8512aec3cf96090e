// SPDX-License-Identifier: MIT
// What a worker of another user can make a primary do that has more rights: nothing but what that user may do itself.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include <fmt/core.h>

#include "raw_worker.h"
#include "support.h"

namespace muster::test {
namespace {

using nlohmann::json;

// A session whose workers are nobody's, beside a folder of theirs and one that is root's alone.
class Trust : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    chmod(session.path().c_str(), 0755);
    mkdir(theirs.c_str(), 0755);
    ASSERT_EQ(chown(theirs.c_str(), nobody, nobody), 0);
    mkdir(roots.c_str(), 0700);
  }

  // What the worker says, a line each, after `body` has run.
  std::vector<json> run(const std::string& body, std::vector<std::string> flags = {}, bool as_nobody = true) {
    session.write("worker.py", raw_worker("online()\n" + body + "\nlistening(1)\nsay('done')\n"));
    std::vector<std::string> words{"run", "--name", "app", "--interpreter", "python3"};
    if (as_nobody) words.insert(words.end(), {"--user", "nobody"});
    words.insert(words.end(), flags.begin(), flags.end());
    words.push_back("worker.py");
    Running muster(session, {.words = words});
    std::vector<json> said;
    for (std::string line = muster.line("app/1 | "); !line.empty() && !line.ends_with("\"done\"");
         line = muster.line("app/1 | ")) {
      said.push_back(json::parse(line.substr(line.find(" | ") + 3), nullptr, false));
    }
    muster.signal(SIGTERM);
    muster.exit_code();
    output = muster.output();
    return said;
  }

  static constexpr unsigned nobody = 65534;
  Session session;
  const std::string theirs = session.file("theirs"), roots = session.file("roots");
  std::string output;
};

int bound_socket(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return fd;
}

bool exists(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0;
}

TEST_F(Trust, PortsAreTheUsersOrNamed) {
  const auto said = run(R"(
say(query(address='127.0.0.1', port=81, addressType=4)[0].get('errno'))
say(query(address='127.0.0.1', port=82, addressType='udp4')[0].get('errno'))
say(query(address='::1', port=83, addressType=6, flags=2)[0].get('errno'))
say(query(address=None, port=84, addressType=4)[0].get('errno'))
say(query(address='127.0.0.1', port=0, addressType=4)[0].get('errno'))
say(query(address='localhost', port=85, addressType=4)[0].get('errno'))
say(query(address='127.0.0.1', port=89, addressType=4)[0].get('errno'))
)",
                        {"--may-listen", "127.0.0.1:89"});

  EXPECT_EQ(said, (std::vector<json>{-EACCES, -EACCES, -EACCES, -EACCES, nullptr, -EACCES, nullptr}));
  EXPECT_TRUE(has(output, "its user may not listen on port 81; --may-listen 81 allows it")) << output;
}

// What the predecessor was allowed to open is not the successor's for that.
TEST_F(Trust, AGrantThatIsWithdrawnIsNotInherited) {
  int port = 0;
  for (int candidate = 700; candidate < 1000 && port == 0; ++candidate) {
    if (get(candidate) == "refused") port = candidate;
  }
  session.write("app.js", server_js(port, "'old'"));
  const auto configure = [&](const std::string& grant) {
    session.write("muster.toml", "app = \"app.js\"\nname = \"app\"\nuser = \"nobody\"\nbackoff = \"10ms\"\n" + grant);
  };
  configure(fmt::format("may_listen = [\"{}\"]\n", port));
  ASSERT_EQ(session.run({"start"}).code, 0);
  const int first = session.status("app")["pid"];
  EXPECT_TRUE(session.ask("app", {{"command", "upgrade"}})["ok"]);
  EXPECT_TRUE(gone(first));
  EXPECT_EQ(get(port), "old");
  configure("");
  const auto answer = session.ask("app", {{"command", "upgrade"}});
  EXPECT_FALSE(answer["ok"]) << answer;
  EXPECT_EQ(get(port), "old");
}

TEST_F(Trust, PathsAreTheUsersOrNamed) {
  const auto said = run(fmt::format(R"(
import stat
def bind(path, **more):
    code = query(address=path, port=-1, addressType=-1, **more)[0].get('errno')
    try: mode = oct(stat.S_IMODE(os.lstat(path).st_mode)) + ' ' + str(os.lstat(path).st_uid)
    except OSError: mode = None
    say([code, mode])
bind('{0}/in-roots')
bind('{1}/own')
bind('{1}/open', readableAll=True, writableAll=True)
os.symlink('{0}', '{1}/link')
bind('{1}/link/x', writableAll=True)
bind('{0}/named')
)",
                                    roots, theirs),
                        {"--may-listen", "unix:" + roots + "/named"});

  ASSERT_EQ(said.size(), 5U);
  EXPECT_EQ(said[0], (json{-EACCES, nullptr}));
  EXPECT_EQ(said[1][0], nullptr);
  EXPECT_EQ(said[1][1].get<std::string>().substr(6), "65534");
  EXPECT_EQ(said[2][0], nullptr);
  EXPECT_EQ(said[2][1], "0o777 65534");
  EXPECT_EQ(said[3], (json{-EACCES, nullptr}));
  EXPECT_EQ(said[4][0], nullptr);
  EXPECT_FALSE(exists(roots + "/in-roots"));
  EXPECT_FALSE(exists(roots + "/x"));
}

TEST_F(Trust, AFileIsRemovedOnlyWhereItWasMade) {
  const int victim = bound_socket(roots + "/sock");
  session.write("roots/file", "kept");

  run(fmt::format(R"(
os.mkdir('{1}/d')
for name in ('sock', 'file'): say(query(address='{1}/d/' + name, port=-1, addressType=-1)[0].get('errno'))
os.rename('{1}/d', '{1}/e')
os.symlink('{0}', '{1}/d')
)",
                  roots, theirs));
  close(victim);

  EXPECT_TRUE(exists(roots + "/sock"));
  EXPECT_TRUE(exists(roots + "/file"));
}

// Exchanges a folder for a link to root's while the primary binds, looks and changes modes.
TEST_F(Trust, AModeIsChangedOnlyOfTheSocketItself) {
  session.write("roots/victim", "secret");
  chmod((roots + "/victim").c_str(), 0600);

  run(fmt::format(R"(
import ctypes
libc = ctypes.CDLL(None)
os.mkdir('{1}/c'); os.symlink('{0}', '{1}/l')
child = os.fork()
if child == 0:
    while True: libc.renameat2(-100, b'{1}/c', -100, b'{1}/l', 2)
for n in range(300):
    answer = query(index=n, address='{1}' + '/' * (n % 9 + 1) + 'c' + '/' * (n // 9 + 1) + 'victim', port=-1, addressType=-1, readableAll=True, writableAll=True)[0]
    if not answer.get('errno'): tell('close', key=answer['key'])
    for name in ('c', 'l'):
        try: os.unlink('{1}/' + name + '/victim')
        except OSError: pass
os.kill(child, 9)
)",
                  roots, theirs));

  struct stat status {};
  ASSERT_EQ(lstat((roots + "/victim").c_str(), &status), 0);
  EXPECT_TRUE(S_ISREG(status.st_mode));
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

constexpr const char* ask_for_each = R"(
answers = set()
for fd in range(0, 300):
    for kind in (4, 6, -1, 'udp4', 'udp6', None):
        answer, came = query(index=fd, address=None, port=None if kind in (-1, None) else fd, addressType=kind, fd=fd)
        answers.add(answer.get('errno'))
        if came: say(['came', fd, kind])
say(sorted(a if a is not None else 'accepted' for a in answers))
)";

TEST_F(Trust, NoDescriptorIsGivenAway) {
  for (const char* policy : {"rr", "none"}) {
    EXPECT_EQ(run(ask_for_each, {"--policy", policy}), (std::vector<json>{json{-EACCES}})) << policy;
  }
}

TEST_F(Trust, NorToAWorkerOfTheSameUser) {
  for (const char* policy : {"rr", "none"}) {
    EXPECT_EQ(run(ask_for_each, {"--policy", policy}, false), (std::vector<json>{json{-EACCES}})) << policy;
  }
}

// It may be looked into with its own rights, its group's too.
TEST_F(Trust, TheStackOfAWorkerThatHangsIsTakenWithItsRights) {
  session.write("worker.py", raw_worker("online()\nlistening(1)\nos.write(4, b'{\"lag\":1}\\n')\n"));
  Running muster(session, {.words = {"run", "--name", "app", "--interpreter", "python3", "--user", "nobody", "--heartbeat",
                                     "1s", "worker.py"}});
  muster.line("hangs");
  muster.line("the stack of worker 1");
  muster.line("#0");
}

TEST_F(Trust, TheEnvironmentIsTheUsers) {
  const auto said = run(R"(
say({name: os.environ.get(name) for name in ('HOME', 'USER', 'LOGNAME', 'PATH', 'SUDO_USER', 'XDG_RUNTIME_DIR', 'XDG_STATE_HOME')})
say(sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:-1])
say([os.getuid(), os.getgid(), os.getgroups()])
say([line.split()[1] for line in open('/proc/self/status') if line.startswith(('CapEff', 'NoNewPrivs'))])
)",
                        {"--no-new-privileges"});

  ASSERT_EQ(said.size(), 4U);
  EXPECT_EQ(said[0], (json{{"HOME", "/nonexistent"},
                           {"USER", "nobody"},
                           {"LOGNAME", "nobody"},
                           {"PATH", "/usr/local/bin:/usr/bin:/bin"},
                           {"SUDO_USER", nullptr},
                           {"XDG_RUNTIME_DIR", nullptr},
                           {"XDG_STATE_HOME", nullptr}}));
  EXPECT_EQ(said[1], (json{0, 1, 2, 3, 4}));
  EXPECT_EQ(said[2], (json{65534, 65534, json::array()}));
  EXPECT_EQ(said[3], (json{"0000000000000000", "1"}));
}

}  // namespace
}  // namespace muster::test
