// SPDX-License-Identifier: MIT
'use strict';

// In a worker it is Node's own cluster, which speaks to every primary that speaks as Node does. What a primary of muster's can do for
// it beyond that is agreed on here.
require('./queue').takeQueue();
require('./leave');
