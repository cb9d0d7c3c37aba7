//! Limits of control groups, read where `SkyPilot` reads them.

use std::ffi::CStr;

use crate::file::{is_regular, read_small};
use crate::number::{fields, plain_integer};
use crate::{Decline, NativeResult};

const V2_MARKER: &CStr = c"/sys/fs/cgroup/cgroup.controllers";
const V2_CPU: &CStr = c"/sys/fs/cgroup/cpu.max";
const V2_MEMORY: &CStr = c"/sys/fs/cgroup/memory.max";
const V1_QUOTA: &CStr = c"/sys/fs/cgroup/cpu/cpu.cfs_quota_us";
const V1_PERIOD: &CStr = c"/sys/fs/cgroup/cpu/cpu.cfs_period_us";
const V1_MEMORY: &CStr = c"/sys/fs/cgroup/memory/memory.limit_in_bytes";

/// `_get_cgroup_cpu_limit`: the limit in cores, or `None` without one.
///
/// # Errors
/// `Platform` for file contents that only Python's parsers understand.
pub fn cpu_limit() -> NativeResult<Option<f64>> {
    let mut buffer = [0; 128];
    if is_regular(V2_MARKER) {
        return match read_small(V2_CPU, &mut buffer)? {
            Some(content) => parse_v2_cpu(content),
            None => Ok(None),
        };
    }
    let Some(quota) = read_small(V1_QUOTA, &mut buffer)? else {
        return Ok(None);
    };
    let quota = single_integer(quota)?;
    // Whatever the period is, or if it can't be read, the answer is None.
    if quota <= 0 {
        return Ok(None);
    }
    let Some(period) = read_small(V1_PERIOD, &mut buffer)? else {
        return Ok(None);
    };
    let period = single_integer(period)?;
    Ok((period > 0).then(|| as_float(quota) / as_float(period)))
}

/// `_get_cgroup_memory_limit`: the limit in bytes, or `None` without one.
///
/// # Errors
/// `Platform` for file contents that only Python's parsers understand.
pub fn memory_limit() -> NativeResult<Option<i64>> {
    let mut buffer = [0; 128];
    let path = if is_regular(V2_MARKER) { V2_MEMORY } else { V1_MEMORY };
    match read_small(path, &mut buffer)? {
        Some(content) => parse_memory(content),
        None => Ok(None),
    }
}

fn parse_v2_cpu(content: &[u8]) -> NativeResult<Option<f64>> {
    let mut parts = fields(content);
    let (Some(quota), Some(period), None) = (parts.next(), parts.next(), parts.next()) else {
        // Unpacking fails with a ValueError, which the original takes for no limit; but
        // let it look itself, since Python splits at more than the kernel prints.
        return Err(Decline::Platform);
    };
    if quota == b"max" {
        return Ok(None);
    }
    match (plain_integer(quota), plain_integer(period)) {
        (Some(_), Some(0)) | (None, _) | (_, None) => Err(Decline::Platform),
        (Some(quota), Some(period)) => Ok((quota > 0).then(|| as_float(quota) / as_float(period))),
    }
}

fn parse_memory(content: &[u8]) -> NativeResult<Option<i64>> {
    if fields(content).eq([b"max"]) {
        return Ok(None);
    }
    let limit = single_integer(content)?;
    Ok((limit > 0).then_some(limit))
}

fn single_integer(content: &[u8]) -> NativeResult<i64> {
    let mut parts = fields(content);
    match (parts.next().and_then(plain_integer), parts.next()) {
        (Some(number), None) => Ok(number),
        _ => Err(Decline::Platform),
    }
}

/// Python's `float()` of a decimal integer rounds to nearest, as this conversion does.
#[expect(clippy::cast_precision_loss)]
fn as_float(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::{parse_memory, parse_v2_cpu, single_integer};
    use crate::Decline;

    #[test]
    fn cpu_max() {
        assert_eq!(parse_v2_cpu(b"max 100000\n"), Ok(None));
        assert_eq!(parse_v2_cpu(b"150000 100000\n"), Ok(Some(1.5)));
        assert_eq!(parse_v2_cpu(b"-1 100000\n"), Ok(None));
        for odd in [&b"100000 0"[..], b"1e5 100000", b"1 2 3", b"", b"100000"] {
            assert_eq!(parse_v2_cpu(odd), Err(Decline::Platform), "{odd:?}");
        }
    }

    #[test]
    fn memory_max() {
        assert_eq!(parse_memory(b"max\n"), Ok(None));
        assert_eq!(parse_memory(b"9223372036854771712\n"), Ok(Some(9_223_372_036_854_771_712)));
        assert_eq!(parse_memory(b"0\n"), Ok(None));
        assert_eq!(parse_memory(b"1_000\n"), Err(Decline::Platform));
    }

    #[test]
    fn quota_files() {
        assert_eq!(single_integer(b"-1\n"), Ok(-1));
        assert_eq!(single_integer(b"1 2\n"), Err(Decline::Platform));
    }
}
