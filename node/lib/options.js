// SPDX-License-Identifier: MIT
'use strict';

const errors = require('./errors');

// Each of these options is a whole number, of at least so much.
function checkIntegers(options, least) {
  for (const [name, value] of Object.entries(options)) {
    if (!Number.isInteger(value) || value < least) throw errors.outOfRange(name, least, value);
  }
}

module.exports = { checkIntegers };
