// A client's socket may be sent before its connect() is reported.
const cluster = require('node:cluster');
const net = require('node:net');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  const server = net.createServer((socket) => {
    socket.setEncoding('utf8').on('data', (text) => console.log('server', text));
    socket.on('close', () => {
      server.close();
      worker.disconnect();
    });
  });
  worker.on('message', () => server.listen(0, '127.0.0.1', () => {
    const client = net.connect(server.address().port, '127.0.0.1');
    client.on('connect', () => console.log('connect'));
    client.on('error', (error) => console.log('error', error.code));
    // By then the system is asked to connect.
    process.nextTick(() => process.nextTick(() => {
      console.log('connecting', client.connecting);
      worker.send('take', client, (error) => console.log('sent', error));
    }));
  }));
} else {
  process.send('here');
  process.on('message', (message, socket) => socket.end('hello'));
}
