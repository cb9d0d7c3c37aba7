//! Total memory, as `psutil.virtual_memory().total` has it.

use std::ffi::CStr;

use crate::file::read_small;
use crate::{Decline, NativeResult};

const MEMINFO: &CStr = c"/proc/meminfo";

/// Fields without which psutil warns, or reads further files.
const REQUIRED: [&[u8]; 7] =
    [b"MemFree:", b"MemAvailable:", b"Buffers:", b"Cached:", b"Active:", b"Inactive:", b"Shmem:"];

/// `psutil.virtual_memory().total`, in bytes.
///
/// The file is read rather than sysinfo(2) asked, because containers mount their own.
///
/// # Errors
/// `Platform` for a file that psutil would warn about or fail on.
pub fn total() -> NativeResult<i64> {
    let mut buffer = [0; 4 * 1024];
    parse(read_small(MEMINFO, &mut buffer)?.ok_or(Decline::Os)?)
}

fn parse(content: &[u8]) -> NativeResult<i64> {
    let mut total = None;
    let mut seen = 0u8;
    let mut rest = content;
    while !rest.is_empty() {
        let (key, value, after) = line(rest).ok_or(Decline::Platform)?;
        rest = after;
        if key == b"MemTotal:" {
            total = Some(value * 1024);
        } else if let Some(position) = REQUIRED.iter().position(|required| *required == key) {
            // An estimate replaces a MemAvailable of 0, and psutil may warn about it.
            if key == b"MemAvailable:" && value == 0 {
                return Err(Decline::Platform);
            }
            seen |= 1 << position;
        }
    }
    match total {
        Some(total) if total > 0 && seen == (1 << REQUIRED.len()) - 1 => Ok(total),
        _ => Err(Decline::Platform),
    }
}

/// Takes one line off: its first word, the number behind that, and what follows the line.
///
/// psutil reads every number, and fails if one is missing, so each is looked at here. `None`
/// for numbers that the kernel doesn't print, or that are out of any machine's reach.
fn line(text: &[u8]) -> Option<(&[u8], i64, &[u8])> {
    let (key, text) = text.split_at(text.iter().position(|byte| matches!(byte, b' ' | b'\n'))?);
    let mut text = text;
    while let [b' ', rest @ ..] = text {
        text = rest;
    }
    let mut value = 0i64;
    let mut digits = 0;
    while let [digit @ b'0'..=b'9', rest @ ..] = text {
        // Sixteen digits don't overflow.
        value = value * 10 + i64::from(digit - b'0');
        digits += 1;
        if digits > 15 {
            return None;
        }
        text = rest;
    }
    // What follows the number is a unit, or nothing.
    let ([b'\n', rest @ ..] | [b' ', b'k', b'B', b'\n', rest @ ..]) = text else { return None };
    (!key.is_empty() && digits > 0 && value < 1 << 52).then_some((key, value, rest))
}

/// `_mem_size_gb`: the smaller of total memory and limit, in GiB.
///
/// # Errors
/// `Platform` if the number isn't exact as a float.
pub fn gibibytes(total: i64, limit: Option<i64>) -> NativeResult<f64> {
    let bytes = limit.map_or(total, |limit| limit.min(total));
    if !(0..1 << 53).contains(&bytes) {
        return Err(Decline::Platform);
    }
    #[expect(clippy::cast_precision_loss)]
    Ok(bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::{gibibytes, parse, total};
    use crate::Decline;

    const MEMINFO: &str = "MemTotal:  2097152 kB\nMemFree: 1 kB\nMemAvailable: 1 kB\nBuffers: 0 kB\nCached: 0 kB\n\
        Active: 0 kB\nInactive: 0 kB\nShmem: 0 kB\nHugePages_Total:       0\n";

    #[test]
    fn parsing() {
        assert_eq!(parse(MEMINFO.as_bytes()), Ok(2 << 30));
    }

    #[test]
    fn what_psutil_would_warn_about_is_declined() {
        for (from, to) in [
            ("MemTotal:", "MemTotals:"),
            ("Cached: 0", "Cashed: 0"),
            ("MemAvailable: 1", "MemAvailable: 0"),
            ("MemFree: 1", "MemFree: x"),
            ("2097152", "0"),
            ("HugePages_Total:       0", "HugePages_Total:"),
        ] {
            assert_eq!(parse(MEMINFO.replace(from, to).as_bytes()), Err(Decline::Platform), "{to}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(gibibytes(3 << 29, None), Ok(1.5));
        assert_eq!(gibibytes(3 << 29, Some(1 << 29)), Ok(0.5));
        assert_eq!(gibibytes(3 << 29, Some(i64::MAX)), Ok(1.5));
    }

    #[test]
    fn this_machine() {
        assert!(total().expect("a readable /proc/meminfo") > 1 << 20);
    }
}
