//! Scanner of bytecode: the names that instructions load, take as attributes, and assign.
//!
//! `sky_rs_patch/_binding/bytecode.py` knows what the opcodes of its interpreter are called; here they
//! are what its table says of them.

/// What an instruction is, in the low bits of a table's byte.
mod kind {
    pub(super) const MASK: u8 = 0b111;
    /// Room for an inline cache; not an instruction.
    pub(super) const CACHE: u8 = 1;
    /// The high bits of the next instruction's argument.
    pub(super) const EXTENDED: u8 = 2;
    pub(super) const GLOBAL: u8 = 3;
    pub(super) const ATTRIBUTE: u8 = 4;
    pub(super) const ASSIGNMENT: u8 = 5;
    /// The argument's lowest bit says what else is pushed; its index is in the others.
    pub(super) const SHIFTED: u8 = 8;
}

/// Indices into the names of a code object.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Each a global name, and the attributes that are taken from it at once.
    pub chains: Vec<Vec<usize>>,
    /// Global names that are set or deleted.
    pub assigned: Vec<usize>,
}

/// Reads the instructions `code`, two bytes each, whose opcodes `table` explains.
pub fn names(code: &[u8], table: &[u8; 256]) -> Names {
    let mut found = Names::default();
    let mut chain: Vec<usize> = Vec::new();
    let mut extended = 0;
    for instruction in code.chunks_exact(2) {
        let kind = table[usize::from(instruction[0])];
        let argument = usize::from(instruction[1]) | extended;
        extended = 0;
        let index = if kind & kind::SHIFTED == 0 { argument } else { argument >> 1 };
        match kind & kind::MASK {
            kind::CACHE => continue,
            kind::EXTENDED => {
                // As many as an `int` of the interpreter holds.
                extended = (argument << 8) & 0xffff_ffff;
                continue;
            }
            kind::ATTRIBUTE if !chain.is_empty() => {
                chain.push(index);
                continue;
            }
            _ if chain.is_empty() => {}
            _ => found.chains.push(std::mem::take(&mut chain)),
        }
        match kind & kind::MASK {
            kind::GLOBAL => chain.push(index),
            kind::ASSIGNMENT => found.assigned.push(index),
            _ => {}
        }
    }
    if !chain.is_empty() {
        found.chains.push(chain);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> [u8; 256] {
        let mut table = [0; 256];
        table[1..=5].copy_from_slice(&[1, 2, 3, 4, 5]);
        table[6] = kind::GLOBAL | kind::SHIFTED;
        table
    }

    fn read(code: &[u8]) -> (Vec<Vec<usize>>, Vec<usize>) {
        let found = names(code, &table());
        (found.chains, found.assigned)
    }

    #[test]
    fn attributes_belong_to_the_name_before_them() {
        assert_eq!(read(&[3, 7, 4, 8, 1, 0, 4, 9, 0, 0, 4, 10]), (vec![vec![7, 8, 9]], vec![]));
        assert_eq!(read(&[3, 1, 3, 2, 4, 3]), (vec![vec![1], vec![2, 3]], vec![]));
        assert_eq!(read(&[3, 1]), (vec![vec![1]], vec![]));
    }

    #[test]
    fn an_argument_can_be_long_and_shifted() {
        assert_eq!(read(&[2, 1, 3, 4]), (vec![vec![0x104]], vec![]));
        assert_eq!(read(&[2, 1, 2, 2, 6, 5, 3, 1]), (vec![vec![0x10205 >> 1], vec![1]], vec![]));
    }

    #[test]
    fn assignments_end_a_chain() {
        assert_eq!(read(&[3, 1, 5, 2, 4, 3, 5, 4]), (vec![vec![1]], vec![2, 4]));
    }

    #[test]
    fn half_an_instruction_is_none() {
        assert_eq!(read(&[]), (vec![], vec![]));
        assert_eq!(read(&[3]), (vec![], vec![]));
        assert_eq!(read(&[2, 255, 2, 255, 2, 255, 2, 255, 2, 255]), (vec![], vec![]));
    }
}
