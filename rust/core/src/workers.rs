//! Number of workers that may copy file mounts at once.

use rustix::process::{Resource, getrlimit};

use crate::{Decline, NativeResult};

/// Descriptors that `SkyPilot` reckons for each file of a source.
pub const FD_PER_FILE: i64 = 5;
/// Descriptors that it leaves to the rest of the process.
const FD_RESERVE: i64 = 100;

/// The soft limit of open files.
///
/// # Errors
/// `Value` without a limit, which Python's `resource` shows as -1.
pub fn fd_limit() -> NativeResult<i64> {
    getrlimit(Resource::Nofile).current.and_then(|limit| i64::try_from(limit).ok()).ok_or(Decline::Value)
}

/// Descriptors that a directory with that many entries needs.
///
/// # Errors
/// `Value` on overflow.
pub fn fd_need(entries: i64) -> NativeResult<i64> {
    entries.checked_mul(FD_PER_FILE).ok_or(Decline::Value)
}

/// The number of workers, at least one and at most `threads` (where that is at least one).
pub fn max_workers(fd_limit: i64, fd_per_worker: i64, threads: i64) -> i64 {
    (fd_limit - FD_RESERVE).div_euclid(fd_per_worker.max(FD_PER_FILE)).max(1).min(threads)
}

#[cfg(test)]
mod tests {
    use super::{fd_limit, fd_need, max_workers};
    use crate::Decline;

    #[test]
    fn bounds() {
        assert_eq!(max_workers(1024, 5, 4), 4);
        assert_eq!(max_workers(1024, 500, 4), 1);
        assert_eq!(max_workers(1024, 300, 4), 3);
        assert_eq!(max_workers(20, 5, 4), 1);
        assert_eq!(max_workers(1_048_576, 0, 1_000_000), 209_695);
    }

    #[test]
    fn needs() {
        assert_eq!(fd_need(1000), Ok(5000));
        assert_eq!(fd_need(i64::MAX), Err(Decline::Value));
        assert!(fd_limit().expect("a limit") > 0);
    }
}
