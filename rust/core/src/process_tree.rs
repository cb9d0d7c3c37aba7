//! Process tree: the parents of all processes, as psutil reads them before it looks for children.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::Errno;

use crate::{Decline, NativeResult};

/// The processes that were there, with their parents.
#[derive(Debug)]
pub struct Snapshot {
    /// Parent and child, by parent; the children of one are in the order of `/proc`.
    families: Vec<(u32, u32)>,
}

/// Takes every process in: `psutil._pslinux.ppid_map()`.
///
/// # Errors
/// `Platform` if a process may not be looked at, or a file of the kernel isn't as expected: that
/// is likely to stay so. `Os` for other failures.
pub fn snapshot() -> NativeResult<Snapshot> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = rustix::fs::open(c"/proc", flags, Mode::empty()).map_err(|_| Decline::Os)?;
    let mut families = Vec::with_capacity(256);
    // The list first, as the original does; a process that ends meanwhile is left out.
    for pid in list(&proc)? {
        if let Some(parent) = parent_of(&proc, pid)? {
            families.push((parent, pid));
        }
    }
    Ok(Snapshot::new(families))
}

/// The numbers in `/proc`, in its order.
fn list(proc: &OwnedFd) -> NativeResult<Vec<u32>> {
    let mut pids = Vec::with_capacity(256);
    let mut buffer = [MaybeUninit::<u8>::uninit(); 16 * 1024];
    let mut directory = RawDir::new(proc, &mut buffer);
    while let Some(entry) = directory.next() {
        let entry = entry.map_err(|_| Decline::Os)?;
        let name = entry.file_name().to_bytes();
        if name.iter().all(u8::is_ascii_digit) {
            pids.push(number(name).ok_or(Decline::Platform)?);
        }
    }
    Ok(pids)
}

/// The parent of a process, or `None` if the process has gone.
fn parent_of(proc: &OwnedFd, pid: u32) -> NativeResult<Option<u32>> {
    // The name of a process has 64 bytes at the most, and nothing behind it a parenthesis.
    let mut buffer = [0; 512];
    let mut path = [0; 16];
    let read = rustix::fs::openat(proc, stat_path(pid, &mut path)?, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .and_then(|fd| rustix::io::read(&fd, &mut buffer));
    match read {
        Ok(count) => parent_in(&buffer[..count]).map(Some).ok_or(Decline::Platform),
        Err(Errno::NOENT | Errno::SRCH) => Ok(None),
        Err(Errno::ACCESS | Errno::PERM) => Err(Decline::Platform),
        Err(_) => Err(Decline::Os),
    }
}

/// `PID/stat`, relative to `/proc`.
fn stat_path(pid: u32, path: &mut [u8; 16]) -> NativeResult<&CStr> {
    use std::io::Write as _;

    // Ten digits at the most: sixteen bytes with the NUL that stays at the end.
    let mut rest = &mut path[..];
    write!(rest, "{pid}/stat").map_err(|_| Decline::Value)?;
    CStr::from_bytes_until_nul(path).map_err(|_| Decline::Value)
}

/// The parent in `PID (NAME) STATE PARENT …`; the name may hold anything.
fn parent_in(stat: &[u8]) -> Option<u32> {
    let name_end = memchr::memrchr(b')', stat)?;
    let mut fields = stat.get(name_end + 2..)?.split(u8::is_ascii_whitespace);
    fields.next().filter(|state| !state.is_empty())?;
    let parent = fields.next()?;
    // More must follow, or the number may have been cut off.
    fields.next()?;
    number(parent)
}

fn number(digits: &[u8]) -> Option<u32> {
    // `parse` would take a sign as well.
    if !digits.first()?.is_ascii_digit() {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl Snapshot {
    /// From pairs of parent and child.
    fn new(mut families: Vec<(u32, u32)>) -> Self {
        // Stable, so that siblings stay in their order.
        families.sort_by_key(|(parent, _)| *parent);
        Self { families }
    }

    fn children(&self, parent: u32) -> &[(u32, u32)] {
        let start = self.families.partition_point(|(other, _)| *other < parent);
        let rest = &self.families[start..];
        &rest[..rest.partition_point(|(other, _)| *other == parent)]
    }

    /// Visits all descendants in the order of `psutil.Process.children(recursive=True)`.
    ///
    /// `accept` says whether a child is really one; only then its own children are visited.
    ///
    /// # Errors
    /// Those of `accept`.
    pub fn descendants<E>(&self, root: u32, mut accept: impl FnMut(u32) -> Result<bool, E>) -> Result<(), E> {
        // A number that was used again while the processes were taken in can make a cycle.
        let mut seen = Vec::new();
        let mut stack = vec![root];
        while let Some(parent) = stack.pop() {
            let children = self.children(parent);
            if children.is_empty() {
                continue;
            }
            if let Err(position) = seen.binary_search(&parent) {
                seen.insert(position, parent);
                for (_, child) in children {
                    if accept(*child)? {
                        stack.push(*child);
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Snapshot, number, parent_in, snapshot, stat_path};
    use proptest::prelude::*;
    use std::collections::{HashMap, HashSet};

    fn visited(snapshot: &Snapshot, root: u32) -> Vec<u32> {
        let mut all = Vec::new();
        let visit = |pid| {
            all.push(pid);
            Ok::<_, ()>(true)
        };
        snapshot.descendants(root, visit).expect("nothing fails");
        all
    }

    #[test]
    fn parents_in_files() {
        assert_eq!(parent_in(b"7 (sh) S 5 7 7 0\n"), Some(5));
        assert_eq!(parent_in(b"7 (a) R (b) Z 12 7\n"), Some(12));
        assert_eq!(parent_in(b"7 (()) S 0 0\n"), Some(0));
        for odd in
            [&b""[..], b"7 (sh", b"7 (sh)", b"7 (sh) ", b"7 (sh) S", b"7 (sh) S 5", b"7 (sh) S -5 1", b"7 (s) S x 1"]
        {
            assert_eq!(parent_in(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(number(b"4194304"), Some(1 << 22));
        for odd in [&b""[..], b"-1", b"+1", b" 1", b"4294967296", b"1x"] {
            assert_eq!(number(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn the_longest_path_fits() {
        assert_eq!(stat_path(u32::MAX, &mut [0; 16]).map(|path| path.to_bytes().len()), Ok(15));
    }

    #[test]
    fn order_of_the_walk() {
        let snapshot = Snapshot::new(vec![(1, 2), (1, 3), (2, 4), (3, 5), (5, 6), (1, 7), (9, 8)]);
        // The children of the last sibling come first.
        assert_eq!(visited(&snapshot, 1), [2, 3, 7, 5, 6, 4]);
        assert_eq!(visited(&snapshot, 8), []);
        let mut all = Vec::new();
        let refuse = |pid| {
            all.push(pid);
            Ok::<_, ()>(pid != 3)
        };
        snapshot.descendants(1, refuse).expect("nothing fails");
        assert_eq!(all, [2, 3, 7, 4]);
        assert_eq!(snapshot.descendants(1, |pid| if pid == 5 { Err(pid) } else { Ok(true) }), Err(5));
    }

    #[test]
    fn cycles_end() {
        let snapshot = Snapshot::new(vec![(1, 2), (2, 1), (3, 3)]);
        assert_eq!(visited(&snapshot, 1), [2, 1]);
        assert_eq!(visited(&snapshot, 3), [3]);
    }

    #[test]
    fn a_child_of_this_process() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep(1)");
        assert!(visited(&snapshot().expect("/proc"), std::process::id()).contains(&child.id()));
        child.kill().expect("it runs");
        // A zombie is a child until somebody waits for it.
        assert!(visited(&snapshot().expect("/proc"), std::process::id()).contains(&child.id()));
        child.wait().expect("it ends");
        assert!(!visited(&snapshot().expect("/proc"), std::process::id()).contains(&child.id()));
    }

    proptest! {
        #[test]
        fn agrees_with_the_plain_walk(parents in prop::collection::vec(0u32..12, 0..12), root in 0u32..12) {
            let pairs: Vec<_> = parents.iter().copied().zip(0..).collect();
            let mut map: HashMap<u32, Vec<u32>> = HashMap::new();
            for (parent, child) in &pairs {
                map.entry(*parent).or_default().push(*child);
            }
            let (mut seen, mut stack, mut expected) = (HashSet::new(), vec![root], Vec::new());
            while let Some(pid) = stack.pop() {
                if seen.insert(pid) {
                    for child in map.get(&pid).into_iter().flatten() {
                        expected.push(*child);
                        stack.push(*child);
                    }
                }
            }
            prop_assert_eq!(visited(&Snapshot::new(pairs), root), expected);
        }
    }
}
