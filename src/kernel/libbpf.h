// SPDX-License-Identifier: MIT
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

namespace muster::kernel {

// The functions of libbpf that are used here. It is loaded when it is first asked for, not with the program: every worker would
// pay for that at its start, and only a primary with the kernel's policy needs it.
struct Libbpf {
  // Null where it is not installed. Stays loaded.
  static const Libbpf* load();

  decltype(&::libbpf_set_print) set_print;
  decltype(&::bpf_object__open_mem) object_open_mem;
  decltype(&::bpf_object__load) object_load;
  decltype(&::bpf_object__close) object_close;
  decltype(&::bpf_object__find_map_fd_by_name) object_find_map_fd_by_name;
  decltype(&::bpf_object__find_program_by_name) object_find_program_by_name;
  decltype(&::bpf_program__fd) program_fd;
  decltype(&::bpf_map_create) map_create;
  decltype(&::bpf_map_update_elem) map_update_elem;
  decltype(&::bpf_map_delete_elem) map_delete_elem;
};

}  // namespace muster::kernel
