// SPDX-License-Identifier: MIT
#pragma once

// What process 1 of a container has to do: pass signals on, and reap orphans. The primary is its child, so that
// another one may take its place.
namespace muster::cli::init {

// In process 1: goes on as its child. In any other process: does nothing.
void become_child_of_init();
// Whether process 1 is such a parent; a variable says so, which has to outlive a change of the environment.
bool is_parent();
void set_parent();
// From a primary that has taken another's place: signals are for this one now, and its end is the end.
void announce();

}  // namespace muster::cli::init
