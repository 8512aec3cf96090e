// SPDX-License-Identifier: MIT
'use strict';

// What npm needs to build the addon, for whoever lacks it.
module.exports = 'g++ 12 or clang 14 or newer, make and Python 3 (Debian: apt-get install g++ make python3)';
