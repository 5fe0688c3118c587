"""A seccomp profile that refuses what the one of Docker 17.06, RancherOS's system-docker, refuses.

That is a list of the system calls that are allowed, and EPERM for all others. Written before Linux
4.11, it has none of the later ones: clone3, statx, rseq, faccessat2, pidfd_open and so on. What is
here is not that list: it is all calls of Linux 4.10 but those that Docker says it withholds.
"""

from __future__ import annotations

import ctypes
from typing import Any

# https://docs.docker.com/engine/security/seccomp/#significant-syscalls-blocked-by-the-default-profile
# As to unshare, mount and so on: for a container without CAP_SYS_ADMIN and other such rights.
_WITHHELD = (
    "acct add_key bpf clock_adjtime clock_settime create_module delete_module finit_module"
    " get_kernel_syms get_mempolicy init_module ioperm iopl kcmp kexec_file_load kexec_load keyctl"
    " lookup_dcookie mbind mount move_pages name_to_handle_at nfsservctl open_by_handle_at"
    " perf_event_open personality pivot_root process_vm_readv process_vm_writev ptrace query_module"
    " quotactl reboot request_key set_mempolicy setns settimeofday stime swapon swapoff sysfs"
    " _sysctl umount umount2 unshare uselib userfaultfd ustat vm86 vm86old"
)
_FIRST_OF_4_11 = b"statx"
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS and so on: clone is for processes and threads alone


def profile() -> dict[str, Any]:
    """Return it as ``docker run --security-opt=seccomp=FILE`` takes it."""
    new_namespaces = {"index": 0, "value": _NEW_NAMESPACES, "op": "SCMP_CMP_MASKED_EQ"}
    allowed = sorted(_calls_of_4_10() - {*_WITHHELD.split()} - {"clone"})
    # No architectures: where they are named, today's runc answers ENOSYS to what is newer than all
    # of the profile, and programs then do as on an old kernel. The runc of 17.06 said EPERM.
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [
            {"names": allowed, "action": "SCMP_ACT_ALLOW"},
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [new_namespaces]},
        ],
    }


def _calls_of_4_10() -> set[str]:
    """Return the names of this machine's system calls, as runc's library knows them."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_syscall_resolve_num_arch.restype = ctypes.c_char_p
    numbers = range(library.seccomp_syscall_resolve_name(_FIRST_OF_4_11))
    native = library.seccomp_arch_native()
    names = (library.seccomp_syscall_resolve_num_arch(native, number) for number in numbers)
    return {name.decode() for name in names if name is not None}
