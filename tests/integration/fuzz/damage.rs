//! Damage as files have it: bytes changed, cut, doubled, repeated; numbers and texts put there that programs trip over.

/// Numbers, texts and words for which limits are forgotten.
const VALUES: [&str; 24] = [
    "0",
    "-1",
    "1e999",
    "-0.0",
    "NaN",
    "18446744073709551615",
    "9223372036854775808",
    "4294967296",
    "4294967295",
    "65536",
    "null",
    "true",
    "[]",
    "{}",
    "[[[[[[[[[[[[[[[[",
    "",
    "\\u0000",
    "\\ud800",
    "\u{1b}[2J",
    "(a+)+(?=b)",
    "\\\\w{900}",
    "..",
    "/dev/zero",
    "▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁",
];

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// A damaged copy. Headers are hit more often than the data after them.
pub fn damaged(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let reach = if random.below(4) == 0 { bytes.len() } else { bytes.len().min(2048) };
        let at = random.below(reach);
        match random.below(9) {
            0 => bytes.truncate(at),
            6 => put_value(&mut bytes, at, random),
            7 => {
                let end = (at + 1 + random.below(16)).min(bytes.len());
                let part = bytes[at..end].repeat(1 << random.below(13));
                bytes.splice(at..at, part);
            }
            1 => bytes[at..].iter_mut().take(8).for_each(|byte| *byte = 0xff),
            2 => {
                let end = (at + random.below(64)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            3 => bytes[at] = b"0123456789{}[]\",:-e"[random.below(19)],
            _ => bytes[at] = random.next() as u8,
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

/// Replaces the number or the text that follows by one that programs trip over.
fn put_value(bytes: &mut Vec<u8>, at: usize, random: &mut Random) {
    let is_value = |byte: &u8| byte.is_ascii_digit() || *byte == b'"';
    let Some(start) = bytes[at..].iter().position(is_value).map(|skipped| at + skipped) else { return };
    let value = VALUES[random.below(VALUES.len())].as_bytes();
    let is_text = bytes[start] == b'"';
    let inner = start + usize::from(is_text);
    let is_end = |byte: &u8| if is_text { *byte == b'"' } else { !byte.is_ascii_digit() };
    let end = bytes[inner..].iter().position(is_end).map_or(bytes.len(), |length| inner + length);
    // a text keeps its quotation marks one time in two
    let range = if is_text && random.below(2) == 0 { start..(end + 1).min(bytes.len()) } else { inner..end };
    bytes.splice(range, value.iter().copied());
}
