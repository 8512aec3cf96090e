// SPDX-License-Identifier: MIT
import Fastify from 'fastify';

const app = Fastify();
const schema = { body: { type: 'object', required: ['number'] } };
app.post('/', { schema }, async (request) => ({ pid: process.pid, echo: request.body }));
await app.listen({ port: 0, host: '127.0.0.1' });
