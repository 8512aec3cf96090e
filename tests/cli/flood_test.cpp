// SPDX-License-Identifier: MIT
// What a worker sends or asks for without end costs its primary, and the other workers, little.

#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/core.h>

#include "raw_worker.h"
#include "support.h"

namespace muster::test {
namespace {

using nlohmann::json;

std::size_t peak_memory(int pid) {
  std::ifstream file(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6)) * 1024;
  }
  return 0;
}

class Flood : public testing::Test {
 protected:
  // A worker that does this and then is ready.
  std::unique_ptr<Running> run(const std::string& body, std::vector<std::string> flags = {}) {
    session.write("worker.py", raw_worker("online()\n" + body + "\nlistening(1)\n"));
    std::vector<std::string> words{"run", "--name", "app", "--interpreter", "python3"};
    words.insert(words.end(), flags.begin(), flags.end());
    words.push_back("worker.py");
    auto muster = std::make_unique<Running>(session, Launch{.words = words});
    EXPECT_TRUE(eventually([&] { return session.status("app")["state"] == "running"; }, "it runs"));
    return muster;
  }
  void expect_commands_are_obeyed() {
    for (int i = 0; i < 5; ++i) EXPECT_EQ(session.status("app")["state"], "running");
    EXPECT_EQ(session.run({"kill", "app"}).code, 0);
  }
  // The next line that the worker says.
  static json said(Running& muster) {
    const std::string line = muster.line("app/1 | ");
    return json::parse(line.substr(line.find(" | ") + 3), nullptr, false);
  }
  Session session;
};

TEST_F(Flood, OfOneLineCostsNoMemory) {
  const auto muster = run("raw(b'[' + b'[],' * (20 << 20) + b'[]]\\n')");

#ifdef MUSTER_SANITIZED  // which keeps freed memory for a while, to be looked at
  const std::size_t bound = std::size_t{256} << 20;
#else
  const std::size_t bound = std::size_t{64} << 20;
#endif
  EXPECT_LT(peak_memory(muster->pid()), bound);
  EXPECT_EQ(session.status("app")["restarts"], 0);
}

// A connection that has more to send than its peer takes, and whose last owner waits ten minutes for that.
constexpr const char* lingering = R"(
import struct
def lingering():
    server = socket.socket()
    server.bind(('127.0.0.1', 0))
    server.listen(1)
    client = socket.create_connection(server.getsockname())
    peer, _ = server.accept()
    client.setblocking(False)
    try:
        while True: client.send(b'x' * 65536)
    except BlockingIOError: pass
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 600))
    return client, peer
def pass_on(to, data, fds): to.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))])
def drop(client): # without waiting: the primary has it too
    os.close(client.detach())
client, peer = lingering()
)";

TEST_F(Flood, OfASocketThatLingersStopsNobody) {
  const auto muster = run(std::string(lingering) + R"(
pass_on(channel, b'{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"a":1}}\n', [client.fileno()])
drop(client)
)");

  EXPECT_EQ(session.status("app")["restarts"], 0);
}

TEST_F(Flood, OfASocketThatLiesInAnotherStopsNobody) {
  const auto muster = run(std::string(lingering) + R"(
a, b = socket.socketpair()
pass_on(a, b'x', [client.fileno()])
told, tell_child = os.pipe()
if os.fork() == 0: # the last but the primary to have it: one that ends does not wait for what it closes
    os.read(told, 1)
    pass_on(channel, b'{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"a":1}}\n', [b.fileno()])
    os._exit(0)
drop(client), a.close(), b.close()
os.write(tell_child, b'x')
os.wait()
)");

  EXPECT_EQ(session.status("app")["restarts"], 0);
}

// Nothing that is to be read tells of the descriptor in these.
TEST_F(Flood, OfASocketThatLiesInAnEmptyOneStopsNobody) {
  const auto muster = run(std::string(lingering) + R"(
def pass_holder(holder): # by a process that ends: one that closes what the primary has closed before would wait
    told, tell_child = os.pipe()
    if os.fork() == 0:
        os.read(told, 1)
        pass_on(channel, b'{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"a":1}}\n', [holder.fileno()])
        os._exit(0)
    holder.close()
    os.write(tell_child, b'x')
    os.wait()
for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
    held, _ = lingering()
    a, b = socket.socketpair(socket.AF_UNIX, kind)
    pass_on(a, b'', [held.fileno()])
    drop(held), a.close()
    pass_holder(b)
    while True:
        if any(message.get('cmd') == 'NODE_HANDLE_ACK' for message in read()): break
a, b = socket.socketpair()
a.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [client.fileno()]))], socket.MSG_OOB)
b.recv(1, socket.MSG_OOB)
drop(client), a.close()
pass_holder(b)
)");

  EXPECT_EQ(session.status("app")["restarts"], 0);
}

// The first worker breaks its channel, with this behind what breaks it; its successor is well.
TEST_F(Flood, OfASocketThatLingersBehindALineThatIsNoneStopsNobody) {
  const auto muster = run(std::string(lingering) + R"(
if not os.path.exists('broken'):
    open('broken', 'w').close()
    told, tell_child = os.pipe()
    if os.fork() == 0:
        os.read(told, 1)
        raw(b'{"a":[1,2,3]}\n' * 200 + b'this is no json\n')
        try:
            for fd in (os.open('/dev/null', 0), client.fileno()):
                pass_on(channel, b'{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"a":1}}\n', [fd])
        except OSError: pass # the primary has closed it by now
        os._exit(0)
    drop(client)
    os.write(tell_child, b'x')
    os.wait()
    os._exit(0)
)");

  // Its own socket, which lingers, may have made it count as ready before.
  EXPECT_TRUE(eventually([&] { return session.status("app")["restarts"] == 1; }, "it is started again"));
}

TEST_F(Flood, OfASocketThatLingersInTheQueueOfAClosedPortStopsNobody) {
  const auto muster = run(std::string(lingering) + R"(
path = os.getcwd() + '/queue.sock'
answer, _ = query(address=path, port=-1, addressType=-1)
send(dict(cmd='NODE_CLUSTER', act='close', key=answer['key'], seq=seq))
queued = socket.socket(socket.AF_UNIX)
queued.connect(path)
try:
    pass_on(queued, b'x', [client.fileno()])
    queued.close(), drop(client)
except PermissionError: pass # where the system lets a socket refuse them
)",
                          {"--drain-timeout", "50ms"});

  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(session.file("queue.sock")); }, "the port is closed"));
  EXPECT_EQ(session.status("app")["restarts"], 0);
}

TEST_F(Flood, OfASocketThatLingersInANotificationStopsNobody) {
  const auto muster = run(std::string(lingering) + R"(
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ['NOTIFY_SOCKET'])
try:
    pass_on(notify, b'STATUS=x', [client.fileno()])
    drop(client)
except PermissionError: pass # where the system lets a socket refuse them
)");

  EXPECT_EQ(session.status("app")["restarts"], 0);
}

TEST_F(Flood, OfASocketThatLingersCannotComeByItsOutput) {
  const auto muster = run(R"(
import stat
say([stat.S_ISFIFO(os.fstat(fd).st_mode) for fd in (1, 2)])
)");

  EXPECT_EQ(said(*muster), json({true, true}));
}

TEST_F(Flood, OfAConnectionThatLingersStopsNobody) {
  const auto muster = run(std::string(lingering) + R"(
answer, _ = query(address='127.0.0.1', port=0, addressType=4)
port = answer['sockname']['port']
far = socket.create_connection(('127.0.0.1', port))
def dealt():
    while True:
        for message in read():
            if message.get('act') == 'newconn': return message
message = dealt()
near = socket.socket(fileno=descriptors.pop())
near.setblocking(False)
try:
    while True: near.send(b'x' * 65536)
except BlockingIOError: pass
near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 600))
os.close(near.detach())
send(dict(cmd='NODE_CLUSTER', ack=message['seq'], accepted=True, seq=seq))
)");

  EXPECT_EQ(session.status("app")["restarts"], 0);
}

std::size_t descriptors_of(int pid) {
  const std::string folder = fmt::format("/proc/{}/fd", pid);
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
}

TEST_F(Flood, OfProcessesThatAreLeftBehindHoldsNoDescriptors) {
  // Each worker but the last leaves one that has all its descriptors.
  session.write("worker.py", raw_worker(R"(
online()
os.chdir(os.path.dirname(os.path.abspath(__file__)))
listening(1)
os.mkdir('times/' + str(len(os.listdir('times'))))
if len(os.listdir('times')) < 6:
    if os.fork() == 0:
        with open('left', 'a') as left: left.write('%d\n' % os.getpid())
        while True: time.sleep(1000)
    os._exit(1)
)"));
  std::filesystem::create_directory(session.file("times"));
  Running muster(session, Launch{.words = {"run", "-n", "1", "--name", "app", "--interpreter", "python3", "--backoff", "10ms",
                                           "--max-restarts", "1000", "worker.py"}});
  // In a crash loop, as the app counts.
  const auto is_last = [&] {
    return session.status("app")["restarts"] == 5 && session.status("app")["workers"][0]["state"] == "ready";
  };
  ASSERT_TRUE(eventually(is_last, "the last one runs"));
  const std::size_t before = descriptors_of(muster.pid());

  std::ifstream left(session.file("left"));
  for (int pid = 0; left >> pid;) kill(pid, SIGKILL);

  // Four of each were there once.
  EXPECT_LT(before, 30U);
}

TEST_F(Flood, OfPortsEndsBeforeTheDescriptorsDo) {
  const auto muster = run(R"(
codes = [query(index=n, address='127.0.0.1', port=0, addressType=4)[0].get('errno') for n in range(1100)]
say([codes.count(None), sorted(set(code for code in codes if code))])
)",
                          {"--drain-timeout", "100ms"});
  const json counted = said(*muster);
  EXPECT_EQ(counted[1], json{-EMFILE});
  EXPECT_GT(counted[0], 20);
  const std::size_t open = open_descriptors(muster->pid());

  // Its successor asks for one of them; the others are nobody's.
  session.write("worker.py", raw_worker("online()\nquery(address='127.0.0.1', port=0, addressType=4)\nlistening(1)\n"));
  kill(session.workers("app").at(0), SIGKILL);
  EXPECT_TRUE(eventually([&] { return open_descriptors(muster->pid()) < open / 2; }, "its ports are closed"));
}

TEST_F(Flood, OfLastWordsIsKeptShort) {
  session.write("app.js", R"(
    const words = Buffer.from(('é'.repeat(32000) + '\n').repeat(24));
    for (let at = 0; at < words.length;) {
      try { at += require('fs').writeSync(2, words, at); } catch { }
    }
    process.exit(1);)");
  Running muster(session, {.words = {"run", "--log-file", "log", "app.js"}});
  EXPECT_EQ(muster.exit_code(), 1);
  const std::string why = session.run({"why", "--json", "app"}).out;

  EXPECT_GT(why.size(), 1000U);
  EXPECT_LT(why.size(), 64U << 10);
  EXPECT_TRUE(has(why, "é…"));
}

TEST_F(Flood, OfAddressesIsKeptShort) {
  const auto muster = run(R"(
for n in range(500): tell('listening', address='x' * 10000 + str(n), port=n, addressType=4)
)");

  EXPECT_LE(session.status("app")["listening"].size(), 64U);
  EXPECT_LT(session.status("app").dump().size(), 64U << 10);
}

TEST_F(Flood, OfReportsThatMakeNoSenseChangesNothing) {
  const auto muster = run(R"(
reports = os.fdopen(4, 'wb', 0)
for line in (b'{"requests":1e300,"connections":-5,"accepted":"x","lag":-1}\n', b'[' * 60000 + b'\n', b'null\n', b'\xff\xfe\n', b'x' * 100000 + b'\n', b'{"requests":7}\n'):
    reports.write(line)
)");

  EXPECT_TRUE(eventually([&] { return session.status("app")["workers"][0].value("requests", 0) == 7; }, "the last"));
  EXPECT_FALSE(session.status("app")["workers"][0].contains("connections"));
}

TEST_F(Flood, OfNotificationsLeavesRoomForCommands) {
  const auto muster = run(R"(
if os.fork() == 0:
    channel.close()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    while True:
        try: s.sendto(b'READY=1\n' * 100, os.environ['NOTIFY_SOCKET'])
        except OSError: os._exit(0)
)");

  expect_commands_are_obeyed();
}

// Nine processes away from the worker, so that to find out whose it is takes the longest.
TEST_F(Flood, OfNotificationsOfAStrangerLeavesRoomForCommands) {
  const auto muster = run(R"(
for _ in range(10):
    if os.fork() > 0: break
else:
    channel.close()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    while True:
        try: s.sendto(b'\n' * 4096, os.environ['NOTIFY_SOCKET'])
        except OSError: os._exit(0)
)");

  expect_commands_are_obeyed();
}

// What a worker left behind writes on for ever is not the worker's.
TEST_F(Flood, OnTheChannelOfAWorkerThatEndedEndsWithIt) {
  session.write("worker.py", raw_worker(R"(
online()
listening(1)
if not os.path.exists('was.here'):
    open('was.here', 'w').close()
    for _ in range(2):
        if os.fork() == 0:
            while True:
                try: channel.sendall(b'{"a":1}\n' * 8192)
                except OSError: os._exit(0)
    os._exit(1)
)"));
  Running muster(session, {.words = {"run", "--name", "app", "--interpreter", "python3", "worker.py"}});

  muster.line("crashed after");
  muster.line("is ready");
  EXPECT_EQ(session.status("app")["restarts"], 1);
}

// Each is closed again, and nobody knows it any more but who keeps ports for the next worker.
TEST_F(Flood, OfPortsThatAreClosedAgainTakesNoMoreDescriptors) {
  session.write("worker.py", raw_worker(R"(
online()
for n in range(300):
    answer, _ = query(index=n, address='127.0.0.1', port=0, addressType=4)
    if answer.get('key') and not answer.get('errno'): tell('close', key=answer['key'])
listening(1)
)"));
  Running muster(session, {.words = {"run", "--name", "app", "--interpreter", "python3", "worker.py"},
                           .before = {"prlimit", "--nofile=256:256"}});
  muster.line("is ready");

  EXPECT_LT(open_descriptors(muster.pid()), 200U);
  kill(session.workers("app").at(0), SIGKILL);
  muster.line("crashed after");
  muster.line("is ready");
}

// One of them asks for names that nobody answers for; the other is served meanwhile.
TEST_F(Flood, OfHostNamesKeepsNobodyWaiting) {
  const auto muster = run(R"(
for n in range(200): tell('queryServer', index=0, data=None, address='host-%d.invalid' % n, port=0, addressType=4, flags=0, backlog=0)
say(query(address='127.0.0.1', port=0, addressType=4)[0].get('errno'))
)");

  EXPECT_EQ(said(*muster), nullptr);
  EXPECT_EQ(session.status("app")["state"], "running");
}

}  // namespace
}  // namespace muster::test
