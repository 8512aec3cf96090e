// SPDX-License-Identifier: MIT
// Deals the new connections of an address to its listening sockets: in turn to those whose workers keep up, otherwise to the
// one that has the fewest waiting. Run by the kernel for each SYN, and for each connection whose listener was closed before it
// was accepted.

#include <linux/bpf.h>
#include <stddef.h>

#include <bpf/bpf_helpers.h>

#include "member_counts.h"

// So many waiting are as good as none. A worker that is just being woken has one; passed over for that, it would get fewer than
// those that happen to be awake.
#define few 1
// For a worker that has accepted something a moment ago, so many are. It waits for a processor, no longer than others do; one
// that has stopped is passed over from then on.
#define many 8
#define moment_ns 4000000ULL
// As many sockets as this may turn out to be closed in one search before the kernel's own choice is taken.
#define max_attempts 4
#define nobody max_members

struct {
  __uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
  __uint(max_entries, max_members);
  __type(key, __u32);
  __type(value, __u64);
} listeners SEC(".maps");

// A map for each member, so that a worker can be given its own and no other.
struct counts_of_one {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(struct member_counts));
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, max_members);
  __type(key, __u32);
  __array(values, struct counts_of_one);
} counts SEC(".maps");

// Whether a number is dealt to. It says so apart from `counts`, where a change waits until no processor reads any more.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, max_members);
  __type(key, __u32);
  __type(value, __u32);
} present SEC(".maps");

// The number after the highest one in use.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} bound SEC(".maps");

// What a member had accepted when it was last looked at, and since when.
struct progress {
  __u64 accepted;
  __u64 since_ns;
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, max_members);
  __type(key, __u32);
  __type(value, struct progress);
} progress_of SEC(".maps");

// Whose turn it is. Two processors may read the same; then both deal to one member, which has more waiting from then on.
static __u32 turn;

struct search {
  __u32 first;
  __u32 bound;
  __u32 found;
  __u64 fewest;
  __u64 now_ns;
};

static struct member_counts* counts_of(__u32 member) {
  const __u32 zero = 0;
  void* map = bpf_map_lookup_elem(&counts, &member);
  return map ? bpf_map_lookup_elem(map, &zero) : NULL;
}

static int has_just_accepted(__u32 member, __u64 accepted, __u64 now_ns) {
  struct progress* progress = bpf_map_lookup_elem(&progress_of, &member);
  if (!progress) return 0;
  if (progress->accepted != accepted) {
    progress->accepted = accepted;
    progress->since_ns = now_ns;
  }
  return now_ns - progress->since_ns < moment_ns;
}

// Kernels before 6.7 check this as if it ran once, and take out what could not happen then. So it does not ask whether somebody
// was found before.
static long look_at(__u32 index, void* context) {
  struct search* search = context;
  __u32 member = search->first + index;
  if (member >= search->bound) member -= search->bound;
  const __u32* is_present = bpf_map_lookup_elem(&present, &member);
  if (!is_present || !*is_present) return 0;
  const struct member_counts* one = counts_of(member);
  if (!one) return 0;
  const __u64 dispatched = one->dispatched, accepted = one->accepted;
  __u64 waiting = accepted < dispatched ? dispatched - accepted : 0;
  const __u64 as_good_as_none = has_just_accepted(member, accepted, search->now_ns) ? many : few;
  if (waiting <= as_good_as_none) waiting = 0;
  if (waiting >= search->fewest) return 0;
  search->found = member;
  search->fewest = waiting;
  // Nobody has fewer.
  return waiting == 0;
}

// A packet that opens no connection is dealt like any other, to be answered with a reset, and not counted.
static int opens_a_connection(const struct sk_reuseport_md* context) {
  enum { flags_at = 13, syn = 0x02, ack = 0x10 };
  const __u8* tcp = context->data;
  if (context->migrating_sk || tcp + flags_at + 1 > (const __u8*)context->data_end) return 1;
  return (tcp[flags_at] & (syn | ack)) == syn;
}

SEC("sk_reuseport/migrate")
int dispatch(struct sk_reuseport_md* context) {
  const __u32 zero = 0;
  const __u32* members = bpf_map_lookup_elem(&bound, &zero);
  if (!members) return SK_PASS;
  for (int attempt = 0; attempt < max_attempts; ++attempt) {
    struct search search = {.first = turn, .bound = *members, .found = nobody, .fewest = ~0ULL, .now_ns = bpf_ktime_get_ns()};
    if (search.first >= search.bound) search.first = 0;
    bpf_loop(search.bound, look_at, &search, 0);
    __u32 member = search.found;
    // Without a choice the kernel makes its own, from the addresses and ports.
    if (member >= max_members) return SK_PASS;
    turn = member + 1;
    if (bpf_sk_select_reuseport(context, &listeners, &member, 0) == 0) {
      struct member_counts* one = counts_of(member);
      if (one && opens_a_connection(context)) __sync_fetch_and_add(&one->dispatched, 1);
      return SK_PASS;
    }
    // Its socket is closed and the primary does not know yet.
    const __u32 gone = 0;
    bpf_map_update_elem(&present, &member, &gone, BPF_ANY);
  }
  return SK_PASS;
}

// Nothing it calls asks for another.
char licence[] SEC("license") = "MIT";
