// SPDX-License-Identifier: MIT
'use strict';

// A worker runs Node's own cluster, under any primary that speaks Node's protocol. This adds what a muster primary offers beyond that.
require('./queue').takeQueue();
require('./leave');
