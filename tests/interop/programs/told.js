// SPDX-License-Identifier: MIT
// What the test tells its client, once.
exports.told = (what) => new Promise((resolve) => {
  process.on('message', function listener(message) {
    if (message.what !== what) return;
    process.off('message', listener);
    resolve(message);
  });
});
