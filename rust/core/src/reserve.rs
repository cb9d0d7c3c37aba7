//! Memory checks before large allocations.
//!
//! Where Python raises `MemoryError`, Rust's collections end the process. What grows with its input
//! therefore asks first, for about as much as it will take; the original then says what is wrong.

use std::hint::black_box;

use crate::{Decline, NativeResult};

/// So little is always there, or Python couldn't go on either.
const LITTLE: usize = 1 << 20;

/// Makes sure that so many bytes could be had now.
///
/// # Errors
/// `Os` if they couldn't.
pub fn ensure_available(bytes: usize) -> NativeResult<()> {
    if bytes < LITTLE {
        return Ok(());
    }
    let mut room = Vec::<u8>::new();
    let found = room.try_reserve_exact(bytes);
    // What nobody looks at needn't be allocated, thinks the optimizer.
    black_box(&room);
    found.map_err(|_| Decline::Os)
}

#[cfg(test)]
mod tests {
    use super::ensure_available;
    use crate::Decline;

    #[test]
    fn memory() {
        assert_eq!(ensure_available(0), Ok(()));
        assert_eq!(ensure_available(64 << 20), Ok(()));
        // More than there are addresses.
        assert_eq!(ensure_available(1 << 60), Err(Decline::Os));
    }
}
