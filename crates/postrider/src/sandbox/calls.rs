//! System calls that no server of ours makes, denied with EPERM (seccomp).
//!
//! A list of what is denied, not of what is allowed: the C library of another day may use another
//! call for an old purpose, and a mail server that dies of that at night has lost more than it has
//! won. What would serve an intruder best is on it: other programs, other processes' memory, the
//! kernel's large and young entrances.

use std::collections::BTreeMap;
use std::fmt::Display;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter, sock_filter,
};

/// For this thread and those that it starts, for good. It also sets "no new privileges".
pub(super) fn deny() -> Result<(), String> {
    for program in programs()? {
        apply_filter(&program).map_err(text)?;
    }
    Ok(())
}

pub(super) fn programs() -> Result<Vec<BpfProgram>, String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)
        .map_err(|_| format!("no filter for {}", std::env::consts::ARCH))?;
    let mut programs = Vec::new();
    // One filter has one answer. glibc takes "there is no clone3" well, and "not permitted" ill.
    for (rules, answer) in [
        (denied().map_err(text)?, libc::EPERM),
        (rules_of(&[libc::SYS_clone3]), libc::ENOSYS),
    ] {
        let answer = SeccompAction::Errno(answer.unsigned_abs());
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, arch).map_err(text)?;
        let mut program: BpfProgram = filter.try_into().map_err(text)?;
        if cfg!(target_arch = "x86_64") {
            program.splice(0..0, no_x32());
        }
        programs.push(program);
    }
    Ok(programs)
}

/// The kernel of an x86-64 machine may have all its calls twice: with one bit more, and some under
/// other numbers, for programs with pointers of 32 bits (x32). We are none: none of them is permitted.
fn no_x32() -> [sock_filter; 3] {
    let instruction = |code: u32, jf, k| sock_filter {
        code: u16::try_from(code).unwrap_or(u16::MAX),
        jt: 0,
        jf,
        k,
    };
    let (load, bit, end) = (
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K,
        libc::BPF_RET | libc::BPF_K,
    );
    let not_permitted = libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs();
    [
        instruction(load, 0, NUMBER_OF_CALL),
        instruction(bit, 1, X32_BIT),
        instruction(end, 0, not_permitted),
    ]
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn denied() -> Result<Rules, seccompiler::BackendError> {
    let mut rules = rules_of(DENIED);
    rules.extend(rules_of(OF_THIS_MACHINE));
    // Threads are clones too: only new namespaces are denied. clone3 hides its flags in memory.
    let mut namespaces = Vec::new();
    for flag in NAMESPACES {
        let flag = u64::from(flag.unsigned_abs());
        let (mask, len) = (SeccompCmpOp::MaskedEq(flag), SeccompCmpArgLen::Qword);
        let condition = SeccompCondition::new(0, len, mask, flag)?;
        namespaces.push(SeccompRule::new(vec![condition])?);
    }
    rules.insert(libc::SYS_clone, namespaces);
    Ok(rules)
}

/// Whatever its arguments are.
fn rules_of(calls: &[i64]) -> Rules {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

fn text(error: impl Display) -> String {
    format!("not denied: {error}")
}

/// In what a filter is given: where the number of the call is.
const NUMBER_OF_CALL: u32 = 0;
/// `__X32_SYSCALL_BIT` of the kernel.
const X32_BIT: u32 = 0x4000_0000;

const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

const DENIED: &[i64] = &[
    // Other programs. Whoever has to start one is the parent.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Another user or another world.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_personality,
    // File systems, and files by other ways than their names.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_mknodat,
    libc::SYS_quotactl,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    // The kernel itself.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_syslog,
    libc::SYS_acct,
    // Keys, clock and name of the machine.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
];

#[cfg(target_arch = "x86_64")]
const OF_THIS_MACHINE: &[i64] = &[
    libc::SYS_kexec_file_load,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_mknod,
];
#[cfg(not(target_arch = "x86_64"))]
const OF_THIS_MACHINE: &[i64] = &[];
