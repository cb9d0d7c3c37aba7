//! Number of entries of a directory.

use std::ffi::CStr;
use std::mem::MaybeUninit;

use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::Errno;

use crate::{Decline, NativeResult};

/// `len(os.listdir(path))` if `os.path.isdir(path)`, else `None`.
///
/// # Errors
/// `Os` where the original may raise, for instance for a directory that can't be read.
pub fn entries(path: &CStr) -> NativeResult<Option<i64>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(_) => return Err(Decline::Os),
    };
    // Larger buffers save nothing: the kernel's work is in the entries.
    let mut buffer = [MaybeUninit::<u8>::uninit(); 16 * 1024];
    let mut directory = RawDir::new(fd, &mut buffer);
    let mut count = 0;
    while let Some(entry) = directory.next() {
        let entry = entry.map_err(|_| Decline::Os)?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            count += 1;
        }
    }
    Ok(Some(count))
}

#[cfg(test)]
mod tests {
    use super::entries;
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    fn count(path: &Path) -> Option<i64> {
        entries(&CString::new(path.as_os_str().as_bytes()).expect("no NUL")).expect("readable")
    }

    #[test]
    fn directories() {
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(count(directory.path()), Some(0));
        for number in 0..2000 {
            std::fs::write(directory.path().join(format!("{number:0>40}")), "").expect("a file");
        }
        std::fs::create_dir(directory.path().join(".hidden")).expect("a directory");
        assert_eq!(count(directory.path()), Some(2001));
    }

    #[test]
    fn others() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("file");
        std::fs::write(&file, "").expect("a file");
        assert_eq!(count(&file), None);
        assert_eq!(count(&file.join("below")), None);
        assert_eq!(count(&directory.path().join("absent")), None);
    }
}
