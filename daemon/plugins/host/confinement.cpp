#include "plugins/host/confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <initializer_list>
#include <memory>

#include "base/error.h"
#include "plugins/host/file_rules.h"
#include "plugins/host_options.h"

namespace rft::plugins::host {
namespace {

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

void limit(int resource, rlim_t value, const char* what) {
  const rlimit both{value, value};
  if (::setrlimit(static_cast<__rlimit_resource>(resource), &both) != 0)
    throw_errno(std::string("cannot limit a plugin's ") + what);
}

void deny(const Filter& filter, std::initializer_list<int> calls) {
  for (const int call : calls) seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, 0);
}

// What no scorer or adapter has business with: other processes' memory, the machine's state, ways around
// the filter.
void deny_always(const Filter& filter) {
  deny(filter, {SCMP_SYS(ptrace),
                SCMP_SYS(process_vm_readv),
                SCMP_SYS(process_vm_writev),
                SCMP_SYS(pidfd_getfd),
                SCMP_SYS(mount),
                SCMP_SYS(umount2),
                SCMP_SYS(pivot_root),
                SCMP_SYS(chroot),
                SCMP_SYS(setns),
                SCMP_SYS(unshare),
                SCMP_SYS(bpf),
                SCMP_SYS(perf_event_open),
                SCMP_SYS(userfaultfd),
                SCMP_SYS(io_uring_setup),
                SCMP_SYS(keyctl),
                SCMP_SYS(add_key),
                SCMP_SYS(request_key),
                SCMP_SYS(init_module),
                SCMP_SYS(finit_module),
                SCMP_SYS(delete_module),
                SCMP_SYS(kexec_load),
                SCMP_SYS(reboot),
                SCMP_SYS(swapon),
                SCMP_SYS(swapoff),
                SCMP_SYS(settimeofday),
                SCMP_SYS(clock_settime),
                SCMP_SYS(clock_adjtime),
                SCMP_SYS(adjtimex),
                SCMP_SYS(open_by_handle_at),
                SCMP_SYS(personality)});
}

// Words put into the terminal that the daemon was started from.
void deny_typing(const Filter& filter) {
  seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                   SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, TIOCSTI));
}

// With the network, still none of this machine's own services: its sockets of files and abstract names.
void deny_sockets(const Filter& filter, bool allow_network) {
  if (!allow_network) return deny(filter, {SCMP_SYS(socket)});
  seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
                   SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, AF_UNIX));
}

// A shared object runs in this very process: it needs no other, and no signal but to itself (abort()).
void deny_processes(const Filter& filter) {
  const auto self = static_cast<scmp_datum_t>(::getpid());
  deny(filter, {SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(tkill),
                SCMP_SYS(pidfd_send_signal), SCMP_SYS(rt_sigqueueinfo)});
  seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                   SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
  // Its flags lie in memory, where a filter cannot look; glibc makes threads with clone when this is missing.
  seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  for (const int call : {SCMP_SYS(kill), SCMP_SYS(tgkill)})
    seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, 1, SCMP_A0(SCMP_CMP_NE, self));
}

void load_filter(const wire::Open& open) {
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW), &seccomp_release);
  if (!filter) throw Error(ErrorCode::resource, "cannot make a system call filter");
  // All that a plugin starts stays in this process group, which is killed as one.
  deny(filter, {SCMP_SYS(setsid), SCMP_SYS(setpgid)});
  if (!open.trusted) {
    deny_always(filter);
    deny_typing(filter);
    deny_sockets(filter, open.allow_network);
    if (open.implementation == "shared_object") deny_processes(filter);
  }
  const int error = seccomp_load(filter.get());
  if (error != 0 && error != -EINVAL && error != -ENOSYS) {  // these two: the kernel has no filters
    errno = -error;
    throw_errno("cannot load a system call filter");
  }
}

}  // namespace

void confine(const wire::Open& open) {
  limit(RLIMIT_CORE, 0, "core files");
#ifndef __SANITIZE_ADDRESS__  // whose shadow is larger than any limit
  if (open.memory_limit_bytes > 0) limit(RLIMIT_DATA, open.memory_limit_bytes, "memory");
#endif
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) throw_errno("cannot give up privileges");
  if (!open.trusted) {
    limit(RLIMIT_NPROC, kMaxPluginProcesses, "processes");  // the kernel does not count root's
    limit(RLIMIT_FSIZE, kMaxPluginFileBytes, "files");
    restrict_files(open.readable, open.state_file);
  }
  load_filter(open);
}

}  // namespace rft::plugins::host
