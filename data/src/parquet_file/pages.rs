//! The pages of a column, inflated here and not by the library, so that what they become is bounded before it is in memory.
//!
//! The library is told that the column is not compressed and hands over each page as it stands in the file. Pages that would make its
//! decoders panic or take memory beyond measure are refused.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError as Fault, Result};
use parquet::schema::types::ColumnDescPtr;

/// Bytes that the pages of any file may inflate to.
const FREE_BYTES: u64 = 64 << 20;
/// How many times larger than itself a file may become beyond that.
const MOST_TIMES: u64 = 50;
/// Most bytes of a page.
const MOST_PAGE: u64 = 256 << 20;
/// Most elements in lists, all columns of a row group together: of one row they are in memory at once.
const MOST_ELEMENTS: u64 = 1 << 24;
/// Encodings whose values take memory by what is in the page. Others, as that of values that share their beginnings
/// (`DELTA_BYTE_ARRAY`), make much of little.
const ENCODINGS: [Encoding; 7] = [
    Encoding::PLAIN,
    Encoding::RLE,
    Encoding::RLE_DICTIONARY,
    Encoding::PLAIN_DICTIONARY,
    Encoding::DELTA_BINARY_PACKED,
    Encoding::DELTA_LENGTH_BYTE_ARRAY,
    Encoding::BYTE_STREAM_SPLIT,
];

/// A limit that a file goes beyond; within the library's error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Beyond(pub String);

/// An encoding that is not read; within the library's error.
#[derive(Debug, thiserror::Error)]
#[error("column `{column}` is encoded as {encoding}")]
pub(super) struct Unsupported {
    pub column: String,
    pub encoding: String,
}

pub(super) fn beyond(what: String) -> Fault {
    Fault::External(Box::new(Beyond(what)))
}

/// What all pages of a file share.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    most_bytes: u64,
    n_bytes: Arc<AtomicU64>,
    n_elements: Arc<AtomicU64>,
}

impl Limits {
    pub(super) fn of_file(n_bytes: u64) -> Self {
        let most_bytes = FREE_BYTES.max(n_bytes.saturating_mul(MOST_TIMES));
        Self { most_bytes, n_bytes: Arc::default(), n_elements: Arc::default() }
    }

    /// A new row group begins.
    pub(super) fn next_group(&self) {
        self.n_elements.store(0, Ordering::Relaxed);
    }

    /// Bytes that may still come.
    fn bytes_left(&self) -> u64 {
        self.most_bytes.saturating_sub(self.n_bytes.load(Ordering::Relaxed)).min(MOST_PAGE)
    }

    fn take_bytes(&self, n: u64) -> Result<()> {
        if n > self.bytes_left() {
            return Err(beyond(format!(
                "it inflates to more than {} MiB and more than {MOST_TIMES} times its size, or a page of it to more than {} MiB",
                FREE_BYTES >> 20,
                MOST_PAGE >> 20
            )));
        }
        self.n_bytes.fetch_add(n, Ordering::Relaxed);
        Ok(())
    }

    fn take_elements(&self, n: u64) -> Result<()> {
        match self.n_elements.fetch_add(n, Ordering::Relaxed) + n > MOST_ELEMENTS {
            true => Err(beyond(format!("a row group has more than {MOST_ELEMENTS} elements in lists"))),
            false => Ok(()),
        }
    }
}

/// Compression that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Plain,
    Snappy,
    Gzip,
}

impl Codec {
    /// `None` where it is not built in.
    pub(super) fn of(compression: Compression) -> Option<Self> {
        match compression {
            Compression::UNCOMPRESSED => Some(Self::Plain),
            Compression::SNAPPY => Some(Self::Snappy),
            Compression::GZIP(_) => Some(Self::Gzip),
            _ => None,
        }
    }

    fn inflate(self, bytes: &[u8], limits: &Limits) -> Result<Vec<u8>> {
        match self {
            Self::Plain => Ok(bytes.to_vec()),
            // a page without values may have no bytes at all
            _ if bytes.is_empty() => Ok(Vec::new()),
            Self::Snappy => {
                let bad = |error: snap::Error| Fault::General(format!("a page is no snappy data: {error}"));
                limits.take_bytes(snap::raw::decompress_len(bytes).map_err(bad)? as u64)?;
                snap::raw::Decoder::new().decompress_vec(bytes).map_err(bad)
            }
            Self::Gzip => {
                let mut inflated = Vec::new();
                let most = limits.bytes_left();
                let read = MultiGzDecoder::new(bytes).take(most + 1).read_to_end(&mut inflated);
                read.map_err(|error| Fault::General(format!("a page is no gzip data: {error}")))?;
                limits.take_bytes(inflated.len() as u64)?;
                Ok(inflated)
            }
        }
    }
}

/// The pages of a column.
pub(super) struct Pages<R> {
    /// Pages as they stand in the file.
    pub raw: R,
    pub codec: Codec,
    pub column: ColumnDescPtr,
    pub limits: Limits,
    pub has_dictionary: bool,
}

impl<R: PageReader> Pages<R> {
    /// The page inflated.
    fn inflated(&self, mut page: Page) -> Result<Page> {
        let n_levels = match &page {
            Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, is_compressed, .. } => {
                let n_levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
                if n_levels > buf.len() as u64 {
                    return Err(Fault::General("the levels of a page are longer than the page".into()));
                }
                if !is_compressed {
                    return Ok(page);
                }
                n_levels as usize
            }
            _ => 0,
        };
        let (Page::DataPage { buf, .. } | Page::DataPageV2 { buf, .. } | Page::DictionaryPage { buf, .. }) = &mut page;
        if self.codec != Codec::Plain {
            let mut whole = buf[..n_levels].to_vec();
            whole.append(&mut self.codec.inflate(&buf[n_levels..], &self.limits)?);
            *buf = Bytes::from(whole);
        }
        Ok(page)
    }

    /// Refuses what the decoders cannot take.
    fn check(&mut self, page: &Page) -> Result<()> {
        let (n_values, n_bytes) = (u64::from(page.num_values()), page.buffer().len() as u64);
        if page.is_dictionary_page() {
            self.has_dictionary = true;
            // a place is made for each value before the first is read, and each takes a byte at least
            return match n_values > n_bytes {
                true => Err(Fault::General("a dictionary has fewer bytes than values".into())),
                false => Ok(()),
            };
        }
        if self.column.max_rep_level() > 0 {
            self.limits.take_elements(n_values)?;
        }
        match page.encoding() {
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY if !self.has_dictionary => {
                Err(Fault::General("a page needs a dictionary, but there is none".into()))
            }
            Encoding::DELTA_BINARY_PACKED | Encoding::DELTA_LENGTH_BYTE_ARRAY
                if delta_count(page, &self.column).is_none_or(|n| n > n_values) =>
            {
                Err(Fault::General("a page says it holds more values than it does".into()))
            }
            encoding if ENCODINGS.contains(&encoding) => Ok(()),
            encoding => {
                let column = self.column.path().string();
                Err(Fault::External(Box::new(Unsupported { column, encoding: encoding.to_string() })))
            }
        }
    }
}

/// The number of values that a page of differences says it has; `None` where it breaks off.
fn delta_count(page: &Page, column: &ColumnDescPtr) -> Option<u64> {
    let mut bytes = &page.buffer()[..];
    match page {
        Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => {
            bytes = bytes.get((*def_levels_byte_len + *rep_levels_byte_len) as usize..)?;
        }
        _ => {
            for level in [column.max_rep_level(), column.max_def_level()] {
                if level > 0 {
                    let (n, rest) = bytes.split_first_chunk()?;
                    bytes = rest.get(usize::try_from(i32::from_le_bytes(*n)).ok()?..)?;
                }
            }
        }
    }
    let mut varint = || {
        let n = bytes.iter().position(|byte| byte & 128 == 0).filter(|n| *n < 9)? + 1;
        let (taken, rest) = bytes.split_at(n);
        bytes = rest;
        Some(taken.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 127)))
    };
    let (block, n_blocks, n_values) = (varint()?, varint()?, varint()?);
    // what writers use is 128 and 4; a place is made for each small block
    (block <= 1 << 20 && n_blocks <= 1 << 16).then_some(n_values)
}

impl<R: PageReader> PageReader for Pages<R> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(page) = self.raw.get_next_page()? else { return Ok(None) };
        let page = self.inflated(page)?;
        self.check(&page)?;
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.raw.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.raw.skip_next_page()
    }
}

impl<R: PageReader> Iterator for Pages<R> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
