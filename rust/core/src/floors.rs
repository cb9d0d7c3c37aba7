//! Lower bounds of the routes' times, for benchmarks: the system calls that a route can't do
//! without. Nothing is answered here, so nothing is parsed or checked.

use std::ffi::CStr;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddrV4};

use rustix::buffer::spare_capacity;
use rustix::fs::{CWD, Mode, OFlags, RawDir, openat, stat, statfs};
use rustix::io::{pread, read};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

const CONTROLLERS: &CStr = c"/sys/fs/cgroup/cgroup.controllers";

/// socket, bind, close.
pub fn bind_port(port: u16) {
    if let Ok(socket) = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None) {
        let _ = black_box(bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)));
    }
}

/// The affinity, one statfs, one stat, one cgroup file.
pub fn processors() {
    let _ = black_box(rustix::thread::sched_getaffinity(None));
    let _ = black_box(statfs(c"/sys/devices/system/cpu/online"));
    let unified = black_box(stat(CONTROLLERS)).is_ok();
    read_start(if unified { c"/sys/fs/cgroup/cpu.max" } else { c"/sys/fs/cgroup/cpu/cpu.cfs_quota_us" });
}

/// /proc/meminfo, one stat, one cgroup file.
pub fn memory() {
    read_start(c"/proc/meminfo");
    let unified = black_box(stat(CONTROLLERS)).is_ok();
    read_start(if unified { c"/sys/fs/cgroup/memory.max" } else { c"/sys/fs/cgroup/memory/memory.limit_in_bytes" });
}

/// Opens a file without reading it, and closes it.
pub fn open_close(path: &CStr) {
    let _ = black_box(openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()));
}

/// Opens a directory, reads its entries to the end, closes it.
pub fn list(path: &CStr) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(fd) = openat(CWD, path, flags, Mode::empty()) else { return };
    let mut buffer = [MaybeUninit::<u8>::uninit(); 16 * 1024];
    let mut entries = RawDir::new(fd, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        black_box(entry);
    }
}

/// Opens a file, copies its last bytes out of the page cache, closes it.
pub fn read_end(path: &CStr, bytes: u64) {
    let Ok(fd) = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else { return };
    let Ok(size) = rustix::fs::seek(&fd, rustix::fs::SeekFrom::End(0)) else { return };
    let mut offset = size.saturating_sub(bytes);
    // As much as stays in a processor's cache, and no zeros first: only the copy is the bound.
    let mut buffer = Vec::<u8>::with_capacity(64 * 1024);
    while offset < size {
        match pread(&fd, spare_capacity(&mut buffer), offset) {
            Ok(count) if count > 0 => offset += black_box(count) as u64,
            _ => return,
        }
        black_box(&buffer);
        buffer.clear();
    }
}

/// Opens a small file, reads it once, closes it.
fn read_start(path: &CStr) {
    let mut buffer = [0; 8 * 1024];
    if let Ok(fd) = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        let _ = black_box(read(&fd, &mut buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::{bind_port, list, memory, open_close, processors, read_end};

    #[test]
    fn all_return_whatever_they_are_given() {
        bind_port(0);
        bind_port(1);
        processors();
        memory();
        for path in [c"/proc/self/stat", c"/", c"/absent", c"/etc/passwd"] {
            open_close(path);
            list(path);
            read_end(path, 10);
            read_end(path, u64::MAX);
        }
    }
}
