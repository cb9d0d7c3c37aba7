//! Existence of a process, in psutil's sense.

use std::io::Write as _;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::{Decline, NativeResult};

/// `psutil.Process(pid).is_running()`, false where it raises `NoSuchProcess`.
///
/// psutil asks whether `/proc/PID/stat` can be read: zombies and thread ids count as alive,
/// pid 0 and what hidepid=2 hides don't.
///
/// # Errors
/// `Os` if the kernel gives neither the file nor a plain "no such file".
pub fn is_alive(pid: u32) -> NativeResult<bool> {
    let mut path = [0u8; 32];
    let mut rest = &mut path[..];
    // 27 bytes at the most, and the array's last bytes stay zero.
    write!(rest, "/proc/{pid}/stat").map_err(|_| Decline::Value)?;
    let path = std::ffi::CStr::from_bytes_until_nul(&path).map_err(|_| Decline::Value)?;
    // Not stat(2): psutil needs a descriptor, and fails where there is none left.
    match rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(_) => Err(Decline::Os),
    }
}

#[cfg(test)]
mod tests {
    use super::is_alive;

    #[test]
    fn processes() {
        assert_eq!(is_alive(std::process::id()), Ok(true));
        assert_eq!(is_alive(1), Ok(true));
        assert_eq!(is_alive(0), Ok(false));
        assert_eq!(is_alive(u32::MAX), Ok(false));
    }

    #[test]
    fn zombies_are_alive() {
        let mut child = std::process::Command::new("true").spawn().expect("true(1)");
        let pid = child.id();
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert_eq!(is_alive(pid), Ok(true));
        child.wait().expect("it ends");
        assert_eq!(is_alive(pid), Ok(false));
    }
}
