//! Cutting tables into parts. Pure: sizes in, `ctid` ranges out.

use crate::catalog::Heap;
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// The size of a part unless told otherwise: small enough that the last parts end at about the same
/// time, large enough that a part's file is worth opening.
pub const DEFAULT_PART_BYTES: u64 = 128 << 20;

/// A range of heap blocks, half open. A missing bound is open, so that the first and last part hold
/// whatever the size on disk did not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BlockRange {
    /// The first block; from the start where missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The block after the last; to the end where missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

impl BlockRange {
    /// The condition for `WHERE`, empty for the whole heap.
    ///
    /// ```
    /// use opskit_core::export::plan::BlockRange;
    /// let range = BlockRange { from: Some(8), until: Some(16) };
    /// assert_eq!(range.condition(), " WHERE ctid >= '(8,0)' AND ctid < '(16,0)'");
    /// assert_eq!(BlockRange::default().condition(), "");
    /// ```
    #[must_use]
    pub fn condition(&self) -> String {
        match (self.from, self.until) {
            (None, None) => String::new(),
            (Some(from), None) => format!(" WHERE ctid >= '({from},0)'"),
            (None, Some(until)) => format!(" WHERE ctid < '({until},0)'"),
            (Some(from), Some(until)) => {
                format!(" WHERE ctid >= '({from},0)' AND ctid < '({until},0)'")
            }
        }
    }
}

/// A part: what one connection reads into one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its number within the table, from 0.
    pub number: u32,
    /// The heap it is read from.
    pub heap: QualifiedName,
    /// Whether children that inherit from the heap are left out.
    pub only: bool,
    /// The blocks.
    pub range: BlockRange,
    /// Size on the server's disk in bytes, as an estimate of the work.
    pub heap_bytes: u64,
}

/// Cuts the heaps of one table into parts of about `part_bytes`.
///
/// A table without any heap (a partitioned one without partitions) has no parts.
///
/// ```
/// use opskit_core::catalog::Heap;
/// use opskit_core::export::plan::parts;
/// use opskit_core::name::QualifiedName;
/// let heap = Heap {
///     name: QualifiedName::new("public", "t"), blocks: 100, block_bytes: 8192, has_ranges: true, only: true,
/// };
/// let parts = parts(&[heap], 50 * 8192);
/// assert_eq!(parts.len(), 2);
/// assert_eq!(parts[0].range.until, Some(50));
/// assert_eq!(parts[1].range.until, None);
/// ```
#[must_use]
pub fn parts(heaps: &[Heap], part_bytes: u64) -> Vec<Part> {
    let mut parts = Vec::new();
    for heap in heaps {
        for (range, blocks) in ranges(heap, part_bytes) {
            parts.push(Part {
                number: parts.len() as u32,
                heap: heap.name.clone(),
                only: heap.only,
                range,
                heap_bytes: blocks.saturating_mul(heap.block_bytes),
            });
        }
    }
    parts
}

/// Ranges of equal size, with their block counts.
fn ranges(heap: &Heap, part_bytes: u64) -> Vec<(BlockRange, u64)> {
    let per_part = (part_bytes / heap.block_bytes.max(1)).max(1);
    let count = if heap.has_ranges {
        heap.blocks.div_ceil(per_part).max(1)
    } else {
        1
    };
    // Equal parts leave no small rest that would make one worker end early.
    let bound = |at: u64| (u128::from(heap.blocks) * u128::from(at) / u128::from(count)) as u64;
    (0..count)
        .map(|at| {
            let range = BlockRange {
                from: (at > 0).then(|| bound(at)),
                until: (at + 1 < count).then(|| bound(at + 1)),
            };
            (range, bound(at + 1) - bound(at))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn heap(blocks: u64) -> Heap {
        Heap {
            name: QualifiedName::new("s", "t"),
            blocks,
            block_bytes: 8192,
            has_ranges: true,
            only: true,
        }
    }

    proptest! {
        #[test]
        fn parts_cover_every_block_once(blocks in 0_u64..1 << 32, per_part in 1_u64..1 << 20) {
            prop_assume!(blocks / per_part < 5000);
            let parts = parts(&[heap(blocks)], per_part * 8192);
            prop_assert_eq!(parts[0].range.from, None);
            prop_assert_eq!(parts[parts.len() - 1].range.until, None);
            for pair in parts.windows(2) {
                prop_assert!(pair[0].range.until.is_some());
                prop_assert_eq!(pair[0].range.until, pair[1].range.from);
                prop_assert!(pair[0].heap_bytes <= per_part * 8192);
            }
            prop_assert_eq!(parts.iter().map(|part| part.heap_bytes).sum::<u64>(), blocks * 8192);
        }
    }

    #[test]
    fn without_ranges_one_part_reads_all() {
        let parts = parts(
            &[
                Heap {
                    has_ranges: false,
                    ..heap(1 << 20)
                },
                heap(3),
            ],
            1 << 20,
        );
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].range, BlockRange::default());
        assert_eq!(parts[1].number, 1);
    }
}
