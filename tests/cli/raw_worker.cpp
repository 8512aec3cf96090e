// SPDX-License-Identifier: MIT
#include "raw_worker.h"

namespace muster::test {

std::string raw_worker(const std::string& body) {
  return R"(import array, json, os, socket, sys, time
channel = socket.socket(fileno=int(os.environ['NODE_CHANNEL_FD']))
unread, descriptors, seq = b'', [], 0
def say(thing): print(json.dumps(thing), flush=True)
def raw(data): channel.sendall(data)
def send(thing): raw((json.dumps(thing) + '\n').encode())
def tell(act, **members):
    global seq
    send(dict(cmd='NODE_CLUSTER', act=act, seq=seq, **members))
    seq += 1
    return seq - 1
def read():
    global unread
    data, control, _, _ = channel.recvmsg(65536, socket.CMSG_SPACE(4 * 253))
    if not data: os._exit(0)
    for level, kind, content in control:
        if kind == socket.SCM_RIGHTS:
            more = array.array('i')
            more.frombytes(content[:len(content) - len(content) % 4])
            descriptors.extend(more)
    unread += data
    lines = unread.split(b'\n')
    unread = lines.pop()
    for line in lines:
        message = json.loads(line) if line[:1] == b'{' else {}
        if message.get('cmd') == 'NODE_HANDLE':
            send(dict(cmd='NODE_HANDLE_ACK'))
            message = message['msg']
        yield message
def ask(act, **members):
    number = tell(act, **members)
    while True:
        for message in read():
            if message.get('ack') == number:
                came = list(descriptors)
                descriptors.clear()
                return message, came
def query(**members): return ask('queryServer', **{**dict(index=0, data=None, flags=0, backlog=0), **members})
def online(): tell('online')
def listening(port): tell('listening', address='127.0.0.1', port=port, addressType=4)
)" + body +
         R"(
while True:
    for message in read():
        if message.get('act') == 'disconnect':
            tell('exitedAfterDisconnect')
            os._exit(0)
)";
}

}  // namespace muster::test
