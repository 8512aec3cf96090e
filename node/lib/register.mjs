// SPDX-License-Identifier: MIT
import './register.js';
