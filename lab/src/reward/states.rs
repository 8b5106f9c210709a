//! The file of last states of the texts of pairs.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ndarray::Array2;
use redline_model::files::hash_of;
use redline_model::train::Example;
use redline_model::train::preference::{Pair, last_states};
use redline_model::{Decoder, Error as ModelError};
use serde_json::json;

use crate::error::{Error, Result};
use crate::observer::Observer;

/// Value of the `schema` key of the file of states.
pub const STATES_SCHEMA: &str = "redline.states.v1";
/// Longest first line believed.
const MOST_HEADER: usize = 4096;

/// The last states of the texts of pairs, in a file that grows: a line of JSON, then for each pair the state of its chosen and of its
/// rejected text as f32, little-endian.
#[derive(Debug)]
pub struct StatesFile {
    path: PathBuf,
    file: File,
    width: usize,
    n_pairs: usize,
    n_done: usize,
    header: u64,
}

impl StatesFile {
    /// Opens or begins the file of these pairs under a model with this fingerprint. A pair that was being written is cut off.
    ///
    /// # Errors
    /// The file belongs to other pairs or another model, or cannot be read or written.
    pub fn open(path: &Path, model: &str, decoder: &Decoder, pairs: &[Pair]) -> Result<Self> {
        let width = decoder.config().hidden_size;
        let texts: Vec<&[u32]> =
            pairs.iter().flat_map(|pair| [&pair.chosen.tokens[..], &pair.rejected.tokens]).collect();
        let settings = json!({
            "schema": STATES_SCHEMA,
            "model": model,
            "numerics": decoder.numerics(),
            "texts": hash_of(json!(texts).to_string().as_bytes()),
            "width": width,
        });
        let line = settings.to_string() + "\n";
        let io = |error| ModelError::io(path, error);
        let mut options = File::options();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut there = vec![0; line.len().min(MOST_HEADER).min(length as usize)];
        file.read_exact(&mut there).map_err(io)?;
        if !there.is_empty() && there != line.as_bytes() {
            let message = format!("{}: holds the states of other texts, or of another model", path.display());
            return Err(Error::option(message, "give another --out, or move the file away"));
        }
        if there.is_empty() {
            file.write_all(line.as_bytes()).map_err(io)?;
        }
        let header = line.len() as u64;
        let of_pair = 8 * width as u64;
        let n_done = (length.saturating_sub(header) / of_pair.max(1)) as usize;
        let n_done = n_done.min(pairs.len());
        file.set_len(header + n_done as u64 * of_pair).map_err(io)?;
        file.seek(SeekFrom::End(0)).map_err(io)?;
        Ok(Self { path: path.into(), file, width, n_pairs: pairs.len(), n_done, header })
    }

    /// Reads what is missing, `batch_rows` pairs at a time.
    ///
    /// # Errors
    /// A pass fails, the file cannot be written, or whatever the observer returns.
    pub fn complete(
        &mut self,
        decoder: &Decoder,
        pairs: &[Pair],
        batch_rows: usize,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        while self.n_done < self.n_pairs {
            let part = &pairs[self.n_done..self.n_pairs.min(self.n_done + batch_rows.max(1))];
            let texts: Vec<&Example> = part.iter().flat_map(|pair| [&pair.chosen, &pair.rejected]).collect();
            let states: Vec<f32> =
                last_states(decoder, &texts)?.flatten_all().and_then(|all| all.to_vec1()).map_err(ModelError::from)?;
            let bytes: Vec<u8> = states.iter().flat_map(|value| value.to_le_bytes()).collect();
            self.file.write_all(&bytes).map_err(|error| ModelError::io(&self.path, error))?;
            self.n_done += part.len();
            observer.progress("reading texts", self.n_done, self.n_pairs)?;
        }
        observer.end("reading texts");
        Ok(())
    }

    /// Chosen less rejected state of each pair that was read.
    ///
    /// # Shapes
    /// (pairs, hidden_size)
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn differences(&mut self) -> Result<Array2<f64>> {
        let io = |error| ModelError::io(&self.path, error);
        self.file.seek(SeekFrom::Start(self.header)).map_err(io)?;
        let mut bytes = vec![0; self.n_done * 8 * self.width];
        self.file.read_exact(&mut bytes).map_err(io)?;
        let value = |at: usize| f64::from(f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
        let of = |pair: usize, text: usize, column: usize| value(4 * ((2 * pair + text) * self.width + column));
        let difference = |(pair, column)| of(pair, 0, column) - of(pair, 1, column);
        Ok(Array2::from_shape_fn((self.n_done, self.width), difference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded;

    fn pairs() -> Vec<Pair> {
        let example = |tokens: Vec<u32>| Example { row: 0, tokens, prompt_len: 1 };
        let pair = |i: u32| Pair {
            chosen: example(vec![5 + i, 9, 11]),
            rejected: example(vec![5 + i, 10]),
            margin: 0.0,
            is_safe: None,
        };
        (0..7).map(pair).collect()
    }

    #[test]
    fn a_file_that_was_cut_goes_on_and_another_run_is_refused() {
        let model = embedded::model().unwrap();
        let decoder = &model.decoder;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("states");
        let (pairs, fingerprint) = (pairs(), &model.fingerprint);
        let mut whole = StatesFile::open(&path, fingerprint, decoder, &pairs).unwrap();
        whole.complete(decoder, &pairs, 3, &mut ()).unwrap();
        let expected = whole.differences().unwrap();
        assert_eq!(expected.dim(), (7, decoder.config().hidden_size));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 8 * decoder.config().hidden_size * 3 - 5]).unwrap();
        let mut again = StatesFile::open(&path, fingerprint, decoder, &pairs).unwrap();
        assert_eq!(again.n_done, 3);
        again.complete(decoder, &pairs, 2, &mut ()).unwrap();
        let difference = (&again.differences().unwrap() - &expected).iter().fold(0.0f64, |most, x| most.max(x.abs()));
        assert!(difference < 1e-4, "{difference}");
        assert!(StatesFile::open(&path, "another", decoder, &pairs).is_err());
        assert!(StatesFile::open(&path, fingerprint, decoder, &pairs[..6]).is_err());
    }
}
