// SPDX-License-Identifier: MIT
const Koa = require('koa');

const app = new Koa();
app.use(async (context, next) => {
  await next();
  context.set('X-Served-By', String(process.pid));
});
app.use(async (context) => {
  let body = '';
  for await (const piece of context.req) body += piece;
  context.body = { pid: process.pid, echo: JSON.parse(body) };
});
app.listen(0, '127.0.0.1');
