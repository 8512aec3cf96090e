// SPDX-License-Identifier: MIT
#include "kernel/libbpf.h"

#include <dlfcn.h>

#include <optional>

namespace muster::kernel {
namespace {

std::optional<Libbpf> open_libbpf() {
  void* library = dlopen("libbpf.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) return std::nullopt;
  bool complete = true;
  const auto find = [&]<class Function>(Function& function, const char* name) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    complete = complete && function;
  };
  Libbpf found{};
  find(found.set_print, "libbpf_set_print");
  find(found.object_open_mem, "bpf_object__open_mem");
  find(found.object_load, "bpf_object__load");
  find(found.object_close, "bpf_object__close");
  find(found.object_find_map_fd_by_name, "bpf_object__find_map_fd_by_name");
  find(found.object_find_program_by_name, "bpf_object__find_program_by_name");
  find(found.program_fd, "bpf_program__fd");
  find(found.map_create, "bpf_map_create");
  find(found.map_update_elem, "bpf_map_update_elem");
  find(found.map_delete_elem, "bpf_map_delete_elem");
  if (complete) return found;
  dlclose(library);
  return std::nullopt;
}

}  // namespace

const Libbpf* Libbpf::load() {
  static const std::optional<Libbpf> libbpf = open_libbpf();
  return libbpf ? &*libbpf : nullptr;
}

}  // namespace muster::kernel
