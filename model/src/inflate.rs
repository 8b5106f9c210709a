//! Gzip that inflates by a bounded factor.

use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;

/// Bytes that any file may inflate to.
const FREE_BYTES: u64 = 64 << 20;
/// How many times larger than itself a file may become beyond that.
const MOST_TIMES: u64 = 50;
/// Most bytes of all.
const MOST_BYTES: u64 = crate::files::MOST_TEXT;

/// Why inflating ended.
#[derive(Debug, thiserror::Error)]
#[error(
    "it inflates to more than {} MiB and more than {MOST_TIMES} times its size, or to more than {} MiB; inflate it yourself if you trust it",
    FREE_BYTES >> 20,
    MOST_BYTES >> 20
)]
struct Bomb;

/// Whether a read failed because too much came out of too little.
pub(crate) fn is_bomb(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Bomb>())
}

/// A decompressor whose input and output are counted.
pub(crate) struct Inflated<D> {
    decoder: D,
    n_in: Rc<Cell<u64>>,
    n_out: u64,
}

/// A stream whose bytes are counted.
pub(crate) struct Counted<R> {
    input: R,
    n_read: Rc<Cell<u64>>,
}

impl<D: Read> Inflated<D> {
    pub(crate) fn new<R: Read>(input: R, decoder: impl FnOnce(Counted<R>) -> D) -> Self {
        let n_in = Rc::new(Cell::new(0));
        Self { decoder: decoder(Counted { input, n_read: n_in.clone() }), n_in, n_out: 0 }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n_read = self.input.read(buffer)?;
        self.n_read.set(self.n_read.get() + n_read as u64);
        Ok(n_read)
    }
}

impl<D: Read> Read for Inflated<D> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n_read = self.decoder.read(buffer)?;
        self.n_out += n_read as u64;
        let most = FREE_BYTES.max(self.n_in.get().saturating_mul(MOST_TIMES)).min(MOST_BYTES);
        match self.n_out > most {
            true => Err(std::io::Error::other(Bomb)),
            false => Ok(n_read),
        }
    }
}
