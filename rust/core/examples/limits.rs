//! What the kernel alone takes for the system calls behind the slower routes: the limit that no
//! implementation gets below.
//!
//!     cargo run --release -p sky-rs-core --example limits [DIRECTORY OF 1,000 ENTRIES]
#![allow(clippy::print_stdout, reason = "a command-line program")]

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, openat, stat, statfs};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

/// The best of many rounds, in nanoseconds a call.
fn best(mut call: impl FnMut()) -> u128 {
    const CALLS: u32 = 200;
    let mut best = Duration::MAX;
    for _ in 0..50 {
        let start = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        best = best.min(start.elapsed() / CALLS);
    }
    best.as_nanos()
}

fn read_file(path: &str) {
    let mut buffer = [0u8; 8192];
    if let Ok(fd) = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        let _ = black_box(rustix::io::read(&fd, &mut buffer));
    }
}

fn main() {
    let report = |what: &str, nanoseconds: u128| println!("{what:<56}{nanoseconds:>9} ns");
    report(
        "find_free_port: socket, bind, close",
        best(|| {
            let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None);
            let address = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 30001);
            let _ = black_box(bind(socket.expect("a socket"), &address));
        }),
    );
    report(
        "get_cpu_count: affinity, statfs, stat, one cgroup file",
        best(|| {
            let _ = black_box(rustix::thread::sched_getaffinity(None));
            let _ = black_box(statfs("/sys/devices/system/cpu/online"));
            if black_box(stat("/sys/fs/cgroup/cgroup.controllers")).is_ok() {
                read_file("/sys/fs/cgroup/cpu.max");
            } else {
                read_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
            }
        }),
    );
    report(
        "get_mem_size_gb: /proc/meminfo, stat, one cgroup file",
        best(|| {
            read_file("/proc/meminfo");
            if black_box(stat("/sys/fs/cgroup/cgroup.controllers")).is_ok() {
                read_file("/sys/fs/cgroup/memory.max");
            } else {
                read_file("/sys/fs/cgroup/memory/memory.limit_in_bytes");
            }
        }),
    );
    report(
        "is_process_alive: open and close /proc/1/stat",
        best(|| {
            let _ = black_box(openat(CWD, "/proc/1/stat", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()));
        }),
    );
    if let Some(directory) = std::env::args().nth(1) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        report(
            "get_max_workers: open, getdents to the end, close",
            best(|| {
                let fd = openat(CWD, &directory, flags, Mode::empty()).expect("a directory");
                let mut buffer = Vec::with_capacity(64 * 1024);
                let mut entries = rustix::fs::RawDir::new(fd, buffer.spare_capacity_mut());
                while let Some(entry) = entries.next() {
                    let _ = black_box(entry);
                }
            }),
        );
    }
}
