// SPDX-License-Identifier: MIT
#pragma once

// All of muster.

#include <muster/cluster.h>
#include <muster/dgram.h>
#include <muster/http.h>
#include <muster/net.h>
#include <muster/supervisor.h>
#include <muster/version.h>
