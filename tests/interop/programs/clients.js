// SPDX-License-Identifier: MIT
// How each program is spoken to: connect(port) gives one connection, ask() asks on it and tells the answer, close() ends it.
// What cannot be answered any more is an error. `lingers`: a server that is closing waits for such a connection to end.
const fs = require('node:fs');

const origin = (port, scheme = 'http') => `${scheme}://127.0.0.1:${port}`;
const post = { method: 'POST', path: '/', headers: { 'content-type': 'application/json' } };

function node(module, scheme) {
  return async (port) => {
    const options = scheme === 'https' ? { ca: fs.readFileSync('cert.pem') } : {};
    const agent = new module.Agent({ keepAlive: true, maxSockets: 1, ...options });
    const ask = (question) => new Promise((resolve, reject) => {
      const request = module.request(origin(port, scheme), { ...post, agent }, async (response) => {
        try {
          let body = '';
          for await (const piece of response) body += piece;
          resolve(JSON.parse(body));
        } catch (error) {
          reject(error);
        }
      });
      request.on('error', reject).end(JSON.stringify(question));
    });
    return { ask, close: () => agent.destroy() };
  };
}

exports.http = { connect: node(require('node:http'), 'http') };
exports.https = { connect: node(require('node:https'), 'https') };

exports.undici = {
  async connect(port) {
    const client = new (require('undici').Client)(origin(port));
    const ask = async (question) => (await client.request({ ...post, body: JSON.stringify(question) })).body.json();
    return { ask, close: () => client.destroy() };
  },
};

exports.fetch = {
  async connect(port) {
    const { Agent, fetch } = require('undici');
    const dispatcher = new Agent({ connections: 1 });
    const ask = async (question) => {
      const response = await fetch(origin(port), { ...post, body: JSON.stringify(question), dispatcher });
      return response.json();
    };
    return { ask, close: () => dispatcher.destroy() };
  },
};

exports.ws = {
  lingers: true,
  async connect(port) {
    const socket = new (require('ws').WebSocket)(`ws://127.0.0.1:${port}`);
    const closed = new Promise((resolve) => socket.on('close', resolve));
    const lost = closed.then(() => { throw new Error('the connection was lost'); });
    const event = (name) => Promise.race([new Promise((resolve) => socket.once(name, resolve)), lost]);
    lost.catch(() => {});
    socket.on('error', () => {});
    await event('open');
    const ask = (question) => {
      socket.send(JSON.stringify(question));
      return event('message').then(JSON.parse);
    };
    return { ask, close: () => (socket.close(), closed) };
  },
};

exports.socketio = {
  lingers: true,
  async connect(port) {
    const { io } = require('socket.io-client');
    const socket = io(origin(port), { transports: ['websocket'], reconnection: false, forceNew: true });
    const lost = new Promise((resolve, reject) => {
      socket.on('connect_error', reject).on('disconnect', reject);
      // A server that goes before the socket is connected is told to the manager only.
      socket.io.on('close', reject);
    });
    lost.catch(() => {});
    try {
      await Promise.race([new Promise((resolve) => socket.on('connect', resolve)), lost]);
    } catch (error) {
      // Its timer would keep this process for twenty seconds.
      socket.io.engine.close();
      socket.disconnect();
      throw error;
    }
    const ask = (question) => Promise.race([socket.emitWithAck('ask', question), lost]);
    return { ask, close: () => socket.disconnect() };
  },
};

exports.http2 = {
  lingers: true,
  async connect(port) {
    const session = require('node:http2').connect(origin(port, 'https'), { ca: fs.readFileSync('cert.pem') });
    const closed = new Promise((resolve) => session.on('error', () => {}).on('close', resolve));
    const ask = (question) => new Promise((resolve, reject) => {
      const stream = session.request({ ':method': 'POST' });
      let body = '';
      stream.setEncoding('utf8').on('data', (piece) => { body += piece; }).on('end', () => body && resolve(JSON.parse(body)));
      stream.on('error', reject).on('close', () => reject(new Error('the stream was lost')));
      stream.end(JSON.stringify(question));
    });
    return { ask, close: () => (session.close(), closed) };
  },
};
