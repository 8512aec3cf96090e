'use strict';

// What npm needs to build the addon, for whoever lacks it.
module.exports = 'g++ 12 or clang 14 or newer, make, Python 3 and libfmt (Debian: apt-get install g++ make python3 libfmt-dev)';
