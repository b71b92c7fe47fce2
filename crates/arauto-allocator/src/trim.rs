//! Returns memory that glibc's allocator keeps after it was freed.

use std::{convert::Infallible, thread, time::Duration};

/// Between two looks at the allocator's figures.
const INTERVAL: Duration = Duration::from_secs(1);

/// Free bytes beyond the fewest since the last return that are worth returning.
const MIN_GROWTH: usize = 1024 * 1024;

/// Decides when to return memory: free bytes have grown, and no longer grow.
#[derive(Debug, Default)]
struct Growth {
    /// The fewest free bytes since the last return.
    fewest: usize,
    /// The free bytes at the last look.
    last: usize,
}

impl Growth {
    /// Takes the free bytes of this look. Returns whether to return memory now.
    fn look(&mut self, free: usize) -> bool {
        let still_grows = free > self.last;
        self.last = free;
        self.fewest = self.fewest.min(free);
        let is_due = free >= self.fewest + MIN_GROWTH && !still_grows;
        if is_due {
            self.fewest = free;
        }
        is_due
    }
}

/// Looks once a second, for as long as the program runs.
pub fn run() -> Infallible {
    let mut growth = Growth { fewest: free_bytes(), last: 0 };
    loop {
        thread::sleep(INTERVAL);
        if growth.look(free_bytes()) {
            trim();
        }
    }
}

/// The bytes that the allocator keeps and that are not in use, in all of its arenas. Returned bytes are among them: they are
/// free, and cost no memory until they are used again.
fn free_bytes() -> usize {
    // `mallinfo` and not `mallinfo2`, which older systems lack. Its figures are of 32 bits: of 4 GiB and more, a
    // growth may be taken for none, and is seen at the next.
    #[allow(unsafe_code)]
    // SAFETY: it takes no argument, and reads the allocator's figures under the allocator's locks.
    let figures = unsafe { libc::mallinfo() };
    figures.fordblks.cast_unsigned() as usize
}

/// Returns whole pages that are not in use.
fn trim() {
    #[allow(unsafe_code)]
    // SAFETY: it moves no block that is in use, and takes the allocator's locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn memory_is_returned_once_after_each_growth_that_has_ended() {
        let mut growth = Growth::default();
        let looks = [0, 5, 9, 9, 9, 2, 2, 4, 4, 4].map(|mib| growth.look(mib * MIB));
        assert_eq!(looks, [false, false, false, true, false, false, false, false, true, false]);
    }

    #[test]
    fn less_than_a_mebibyte_is_kept() {
        let mut growth = Growth::default();
        assert_eq!([0, MIB - 1, MIB - 1].map(|bytes| growth.look(bytes)), [false; 3]);
    }
}
