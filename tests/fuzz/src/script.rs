//! An input read as a script: a byte here and there, then bytes. An input that ends reads as zeros.

/// The rest of an input.
#[derive(Clone, Copy, Debug)]
pub struct Script<'a>(pub &'a [u8]);

impl<'a> Script<'a> {
    /// Whether all is read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n.max(1)
    }

    /// One in four.
    pub fn rarely(&mut self) -> bool {
        self.byte() & 3 == 3
    }

    /// A small number mostly, now and then one near an end of the range.
    pub fn number(&mut self) -> u64 {
        match self.byte() {
            n @ 0..240 => u64::from(n),
            240 => u64::MAX,
            241 => u64::MAX - 1,
            242 => 1 << 63,
            243 => i64::MAX as u64,
            244 => u64::from(u32::MAX),
            245 => 1 << 30,
            n => u64::from(n) << (8 * (self.byte() % 8)),
        }
    }

    /// Bytes with their length before them (two bytes).
    pub fn bytes(&mut self) -> &'a [u8] {
        let n = usize::from(self.byte()) | usize::from(self.byte()) << 8;
        let (head, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        head
    }

    /// Text of at most 40 letters.
    pub fn text(&mut self) -> String {
        let n = self.below(40).min(self.0.len());
        let (head, rest) = self.0.split_at(n);
        self.0 = rest;
        String::from_utf8_lossy(head).into_owned()
    }
}

/// A zstd frame (RFC 8878 §3.1) of one uncompressed block.
pub fn stored_in_zstd(bytes: &[u8]) -> Vec<u8> {
    let bytes = &bytes[..bytes.len().min(100_000)];
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd, 0b1010_0000];
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(&((bytes.len() as u32) << 3 | 1).to_le_bytes()[..3]);
    out.extend(bytes);
    out
}
