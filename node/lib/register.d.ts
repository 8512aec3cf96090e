// SPDX-License-Identifier: MIT
// Loaded for what it does: node:cluster is muster's from then on.
export {};
