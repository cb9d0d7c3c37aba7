//! Numbers of processors: usable, online, possible.

use std::ffi::CStr;

use crate::file::read_small;
use crate::number::plain_integer;
use crate::{Decline, NativeResult};

const ONLINE: &CStr = c"/sys/devices/system/cpu/online";
const POSSIBLE: &CStr = c"/sys/devices/system/cpu/possible";

/// `len(os.sched_getaffinity(0))`.
///
/// # Errors
/// `Os` if the kernel refuses, or has more processors than the mask holds.
pub fn affinity() -> NativeResult<i64> {
    let set = rustix::thread::sched_getaffinity(None).map_err(|_| Decline::Os)?;
    Ok(i64::from(set.count()))
}

/// Whether the C library's count of online processors comes from the kernel itself.
///
/// The kernel masks the affinity by what is online, so then the affinity is never larger
/// than that count, and the count (a file opened, read and closed) needn't be asked. Where
/// a container mounts its own file over it (lxcfs), the count may be smaller.
pub fn online_is_the_kernels() -> bool {
    const SYSFS_MAGIC: u64 = 0x6265_6572;
    rustix::fs::statfs(ONLINE).is_ok_and(|status| u64::try_from(status.f_type) == Ok(SYSFS_MAGIC))
}

/// The number of processors that could ever be online: fixed when the kernel boots.
///
/// # Errors
/// `Platform` if the kernel's file can't be read or understood.
pub fn possible() -> NativeResult<i64> {
    let mut buffer = [0; 256];
    let content = read_small(POSSIBLE, &mut buffer)?.ok_or(Decline::Platform)?;
    count_list(content.strip_suffix(b"\n").unwrap_or(content)).ok_or(Decline::Platform)
}

/// The number of processors that are online, if that can be told without the C library, which
/// opens, reads and closes a file for it: where the process may run on all that the kernel
/// could ever bring up, they are all online.
pub fn all_online(possible: i64) -> Option<i64> {
    (affinity() == Ok(possible) && online_is_the_kernels()).then_some(possible)
}

/// Counts a list like `0-3,8`.
fn count_list(list: &[u8]) -> Option<i64> {
    list.split(|byte| *byte == b',').try_fold(0i64, |total, range| {
        let mut ends = range.splitn(2, |byte| *byte == b'-');
        let first = plain_integer(ends.next()?)?;
        let end = ends.next().map_or(Some(first), plain_integer)?;
        (first <= end).then(|| total + end - first + 1)
    })
}

/// Threads for `get_parallel_threads`, given the online processors and the multiplier.
pub fn parallel_threads(online: i64, multiplier: i64) -> i64 {
    (online - 1).max(4) * multiplier
}

/// Multiplier of `_get_thread_multiplier` for a cloud's name.
///
/// # Errors
/// `Value` for a name that isn't ASCII: `str.lower()` maps some other letters to ASCII.
pub fn thread_multiplier(cloud: Option<&[u8]>) -> NativeResult<i64> {
    match cloud {
        Some(name) if !name.is_ascii() => Err(Decline::Value),
        Some(name) if name.eq_ignore_ascii_case(b"kubernetes") => Ok(4),
        _ => Ok(1),
    }
}

#[cfg(test)]
mod tests {
    use super::{affinity, all_online, count_list, parallel_threads, possible, thread_multiplier};
    use crate::Decline;

    #[test]
    fn lists() {
        assert_eq!(count_list(b"0"), Some(1));
        assert_eq!(count_list(b"0-3,8,10-11"), Some(7));
        for odd in [&b""[..], b"3-0", b"0-", b"a", b"0,,1"] {
            assert_eq!(count_list(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn this_machine() {
        let allowed = affinity().expect("a mask");
        assert!(allowed >= 1);
        let possible = possible().expect("a list");
        assert!(possible >= allowed);
        assert!(all_online(possible).is_none_or(|online| online == allowed));
        assert_eq!(all_online(possible + 1), None);
    }

    #[test]
    fn threads() {
        assert_eq!(parallel_threads(1, 1), 4);
        assert_eq!(parallel_threads(5, 4), 16);
        assert_eq!(parallel_threads(65, 1), 64);
    }

    #[test]
    fn multipliers() {
        assert_eq!(thread_multiplier(None), Ok(1));
        assert_eq!(thread_multiplier(Some(b"")), Ok(1));
        assert_eq!(thread_multiplier(Some(b"KuberneteS")), Ok(4));
        // The Kelvin sign is a 'k' in lower case.
        assert_eq!(thread_multiplier(Some("\u{212a}ubernetes".as_bytes())), Err(Decline::Value));
    }
}
