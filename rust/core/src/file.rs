//! Reads of regular files, without the layers of Python's `open()`.

use std::ffi::CStr;
use std::io::IoSliceMut;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, SeekFrom};
use rustix::io::Errno;

use crate::reserve::ensure_available;
use crate::{Decline, NativeResult};

/// An open regular file and its size at that moment, in bytes.
#[derive(Debug)]
pub struct RegularFile {
    pub fd: OwnedFd,
    pub size: u64,
}

/// Opens a regular file for reading.
///
/// The kind is asked before opening, because opening a pipe or a device has effects.
///
/// # Errors
/// `Os` if it can't be opened, `SpecialFile` if it is no regular file.
pub fn open_regular(path: &CStr) -> NativeResult<RegularFile> {
    let status = rustix::fs::stat(path).map_err(|_| Decline::Os)?;
    if !FileType::from_raw_mode(status.st_mode).is_file() {
        return Err(Decline::SpecialFile);
    }
    let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(|_| Decline::Os)?;
    // The name may lead to another file by now.
    let status = rustix::fs::fstat(&fd).map_err(|_| Decline::Os)?;
    if !FileType::from_raw_mode(status.st_mode).is_file() {
        return Err(Decline::SpecialFile);
    }
    let size = u64::try_from(status.st_size).map_err(|_| Decline::SpecialFile)?;
    Ok(RegularFile { fd, size })
}

/// Where seeking to the end leads, as the original finds the size.
///
/// A file of the kernel says that it has no size, but most of them can't be sought in.
pub fn end(fd: &OwnedFd) -> NativeResult<u64> {
    rustix::fs::seek(fd, SeekFrom::End(0)).map_err(|_| Decline::Os)
}

/// `os.path.exists`, where every failure of stat(2) means no.
pub fn exists(path: &CStr) -> bool {
    rustix::fs::stat(path).is_ok()
}

/// `os.path.isfile`.
pub(crate) fn is_regular(path: &CStr) -> bool {
    rustix::fs::stat(path).is_ok_and(|status| FileType::from_raw_mode(status.st_mode).is_file())
}

/// Reads at the file's position until the buffer is full or the file ends.
pub fn read_full(fd: &OwnedFd, buffer: &mut [u8]) -> NativeResult<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match rustix::io::read(fd, &mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(_) => return Err(Decline::Os),
        }
    }
    Ok(filled)
}

/// Reads all of a file that has as many bytes as the buffer.
///
/// # Errors
/// `Changed` if it is shorter or longer, `Os` if it can't be read.
pub fn read_whole(fd: &OwnedFd, buffer: &mut [u8]) -> NativeResult<()> {
    let size = buffer.len();
    // One byte more than there should be: that it isn't filled says that the file ends here.
    let mut beyond = [0];
    let mut parts = [IoSliceMut::new(buffer), IoSliceMut::new(&mut beyond)];
    match rustix::io::readv(fd, &mut parts) {
        Ok(count) if count == size => Ok(()),
        Ok(_) => Err(Decline::Changed),
        Err(_) => Err(Decline::Os),
    }
}

/// All of a regular file that is shorter than the buffer.
///
/// Takes as few calls as that can be done with: for files that are read at every turn.
///
/// # Errors
/// `SpecialFile` if it is no regular file, `Os` if it can't be read, `Value` if it has no size
/// or doesn't fit, `Changed` if it has another size by then.
pub fn read_short<'b>(path: &CStr, buffer: &'b mut [u8]) -> NativeResult<&'b [u8]> {
    // Opening a pipe or a device has effects.
    let status = rustix::fs::stat(path).map_err(|_| Decline::Os)?;
    if !FileType::from_raw_mode(status.st_mode).is_file() {
        return Err(Decline::SpecialFile);
    }
    // A file of the kernel has no size, but content.
    let fits = |size: &usize| (1..buffer.len()).contains(size);
    let size = usize::try_from(status.st_size).ok().filter(fits).ok_or(Decline::Value)?;
    // If a pipe has taken its place since, there is nothing to wait for.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|_| Decline::Os)?;
    match rustix::io::read(&fd, &mut *buffer) {
        Ok(count) if count == size => Ok(&buffer[..size]),
        Ok(_) => Err(Decline::Changed),
        Err(_) => Err(Decline::Os),
    }
}

/// What is left of an open regular file from `offset` on, `most` bytes at the most. Moves nothing.
///
/// # Errors
/// `SpecialFile` if it is no regular file, `Value` if it is longer, or ends before `offset`, `Changed` if
/// it hasn't the size that it says, as files of the kernel haven't, `Os` if it can't be read.
pub fn rest_of(fd: BorrowedFd<'_>, offset: u64, most: usize) -> NativeResult<Vec<u8>> {
    let status = rustix::fs::fstat(fd).map_err(|_| Decline::Os)?;
    if !FileType::from_raw_mode(status.st_mode).is_file() {
        return Err(Decline::SpecialFile);
    }
    let length = u64::try_from(status.st_size).ok().and_then(|size| size.checked_sub(offset));
    let length = length.and_then(|length| usize::try_from(length).ok()).filter(|length| *length <= most);
    let length = length.ok_or(Decline::Value)?;
    ensure_available(length)?;
    // One byte more than there should be: that it isn't filled says that the file ends here.
    let mut content = vec![0; length + 1];
    let mut filled = 0;
    while filled < content.len() {
        match rustix::io::pread(fd, &mut content[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(_) => return Err(Decline::Os),
        }
    }
    if filled != length {
        return Err(Decline::Changed);
    }
    content.truncate(length);
    Ok(content)
}

/// Fills the buffer from `offset` on.
///
/// # Errors
/// `Changed` if the file ends before, `Os` if it can't be read.
pub fn read_exact_at(fd: &OwnedFd, mut buffer: &mut [u8], mut offset: u64) -> NativeResult<()> {
    while !buffer.is_empty() {
        match rustix::io::pread(fd, &mut *buffer, offset) {
            Ok(0) => return Err(Decline::Changed),
            Ok(count) => {
                buffer = &mut buffer[count..];
                offset += count as u64;
            }
            Err(_) => return Err(Decline::Os),
        }
    }
    Ok(())
}

/// The whole of a small file of the kernel, or `None` if it can't be opened or read.
///
/// # Errors
/// `Platform` if it doesn't fit the buffer, `Os` if a signal interrupted the call.
pub(crate) fn read_small<'b>(path: &CStr, buffer: &'b mut [u8]) -> NativeResult<Option<&'b [u8]>> {
    let interrupted = |error| if error == Errno::INTR { Err(Decline::Os) } else { Ok(None) };
    let fd = match rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(fd) => fd,
        Err(error) => return interrupted(error),
    };
    let mut filled = 0;
    loop {
        if filled == buffer.len() {
            return Err(Decline::Platform);
        }
        match rustix::io::read(&fd, &mut buffer[filled..]) {
            Ok(0) => return Ok(Some(&buffer[..filled])),
            Ok(count) => {
                filled += count;
                // The kernel fills the buffer as far as there is something, so what is short
                // and ends with a line is whole; asking once more costs as much again.
                if filled < buffer.len() && buffer[filled - 1] == b'\n' {
                    return Ok(Some(&buffer[..filled]));
                }
            }
            Err(error) => return interrupted(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{end, open_regular, read_exact_at, read_full, read_short, read_small, read_whole};
    use crate::Decline;
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt as _;

    fn file(content: &[u8]) -> (tempfile::TempDir, CString) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        std::fs::write(&path, content).expect("a file");
        let path = CString::new(path.as_os_str().as_bytes()).expect("no NUL");
        (directory, path)
    }

    #[test]
    fn whole_files() {
        let (_directory, path) = file(b"0123456789");
        let size = usize::try_from(open_regular(&path).expect("a file").size).expect("ten");
        for (length, expected) in [(size, Ok(())), (size - 1, Err(Decline::Changed)), (size + 1, Err(Decline::Changed))]
        {
            let mut buffer = vec![0; length];
            assert_eq!(read_whole(&open_regular(&path).expect("a file").fd, &mut buffer), expected, "{length}");
            if expected.is_ok() {
                assert_eq!(buffer, b"0123456789");
            }
        }
    }

    #[test]
    fn short_files() {
        let (directory, path) = file(b"0123456789");
        assert_eq!(read_short(&path, &mut [0; 11]), Ok(&b"0123456789"[..]));
        assert_eq!(read_short(&path, &mut [0; 10]), Err(Decline::Value));
        assert_eq!(read_short(&path, &mut []), Err(Decline::Value));
        let (_empty, path) = file(b"");
        assert_eq!(read_short(&path, &mut [0; 10]), Err(Decline::Value));
        assert_eq!(read_short(c"/proc/version", &mut [0; 4096]), Err(Decline::Value));
        assert_eq!(read_short(c"/dev/null", &mut [0; 10]), Err(Decline::SpecialFile));
        assert_eq!(read_short(c"/nonexistent", &mut [0; 10]), Err(Decline::Os));
        let path = CString::new(directory.path().as_os_str().as_bytes()).expect("no NUL");
        assert_eq!(read_short(&path, &mut [0; 10]), Err(Decline::SpecialFile));
    }

    #[test]
    fn parts() {
        let (_directory, path) = file(b"0123456789");
        let file = open_regular(&path).expect("a file");
        let mut buffer = [0; 4];
        assert_eq!(read_exact_at(&file.fd, &mut buffer, 6), Ok(()));
        assert_eq!(&buffer, b"6789");
        assert_eq!(read_exact_at(&file.fd, &mut buffer, 7), Err(Decline::Changed));
        let mut buffer = [0; 16];
        assert_eq!(read_full(&file.fd, &mut buffer), Ok(10));
    }

    #[test]
    fn small_files() {
        for content in [&b""[..], b"1", b"1\n", b"1\n2\n"] {
            let (_directory, path) = file(content);
            assert_eq!(read_small(&path, &mut [0; 8]), Ok(Some(content)));
        }
        let (_directory, path) = file(b"1234567\n");
        assert_eq!(read_small(&path, &mut [0; 8]), Err(Decline::Platform));
        assert_eq!(read_small(c"/nonexistent", &mut [0; 8]), Ok(None));
    }

    #[test]
    fn the_end_of_a_file() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let path = CString::new(file.path().as_os_str().as_bytes()).expect("no NUL");
        assert_eq!(end(&open_regular(&path).expect("a file").fd), Ok(0));
        // Files of /proc have size 0 too, but content.
        assert_eq!(end(&open_regular(c"/proc/version").expect("a file").fd), Err(Decline::Os));
    }
}
