//! Activations of pairs on disk, so that directions can be found in them again, elsewhere, and without the model: safetensors.
//!
//! - `train.layer_N.positive` and `.negative`, `held_out.layer_N.positive` and `.negative`: f32, (pairs, width), in the order of the rows.
//! - `tokens.I.positive` and `.negative`: f32, (output tokens, layers, width), of the training pairs that calibrate scans, I from 0.
//!
//! Metadata under `redline_activations`: [`ActivationHeader`]. A reader MUST refuse another `format`, tensors of other shapes than the header
//! says, and values that are not finite. Files of parts go together where their headers are equal but for the part ([`PairFile::merged`]).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis, concatenate};
use redline_model::Error as ModelError;
use redline_model::files::{read, write_atomically};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::shard::{Share, check_complete};
use crate::tensors::finite_values;
use crate::{Error, LayerPairs, PairActivations, Provenance, Result, Skip, TokenActivations};

/// Value of the `format` key.
pub const FORMAT: &str = "redline.activations.v1";
/// Key of the metadata in the safetensors header.
pub const KEY: &str = "redline_activations";
/// First bytes after the header's length, by which a file of ours is known.
pub const MARK: &[u8] = b"{\"__metadata__\":{\"redline_activations\":";
/// Most bytes of a file.
const MOST_BYTES: u64 = 64 << 30;

/// What the activations are of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActivationHeader {
    /// [`FORMAT`].
    pub format: String,
    /// Which pairs of all; where nothing was shared out, part 1 of 1.
    pub share: Share,
    /// Settings under which pairs were made, split and read.
    pub settings: Value,
    /// Model, design, positions and questions; method and number of pairs say nothing here.
    pub provenance: Provenance,
    /// Hash of the rows.
    pub data_hash: String,
    /// Blocks that were read.
    pub layers: Vec<usize>,
    /// Triples that gave no pair.
    pub skipped: Vec<(usize, Skip)>,
    /// Texts with single tokens in this file, two a pair.
    pub n_token_pairs: usize,
}

/// Activations of training and held-out pairs with their header.
#[derive(Debug, Clone)]
pub struct PairFile {
    /// What they are of.
    pub header: ActivationHeader,
    /// Of the pairs that directions are found in; `read` counts from 0 here.
    pub train: PairActivations,
    /// Of the pairs that they are tested on.
    pub held_out: PairActivations,
}

/// One tensor on its way into a file.
type Named = (String, Vec<usize>, Vec<u8>);

impl PairFile {
    /// Writes the file; it appears under its name only when complete.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let header = serde_json::to_string(&self.header).map_err(|error| malformed(path, error.to_string()))?;
        let mut tensors: Vec<Named> = Vec::new();
        for (part, activations) in [("train", &self.train), ("held_out", &self.held_out)] {
            for pairs in &activations.layers {
                for (pole, values) in [("positive", pairs.positive()), ("negative", pairs.negative())] {
                    let name = format!("{part}.layer_{}.{pole}", pairs.layer());
                    tensors.push((
                        name,
                        values.shape().to_vec(),
                        values.iter().flat_map(|v| v.to_le_bytes()).collect(),
                    ));
                }
            }
        }
        for (index, texts) in self.train.tokens.iter().enumerate() {
            for (pole, text) in ["positive", "negative"].iter().zip(texts) {
                let width = text.first().and_then(|layers| layers.first()).map_or(0, Vec::len);
                let values = text.iter().flatten().flatten().flat_map(|value| value.to_le_bytes());
                tensors.push((
                    format!("tokens.{index}.{pole}"),
                    vec![text.len(), self.header.layers.len(), width],
                    values.collect(),
                ));
            }
        }
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
            view.map(|view| (name.as_str(), view)).map_err(|error| malformed(path, error.to_string()))
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        let bytes = serialize(views, Some(HashMap::from([(KEY.to_owned(), header)])));
        Ok(write_atomically(path, &bytes.map_err(|error| malformed(path, error.to_string()))?)?)
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// Any broken rule of the format, with the file and the tensor.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = read(path, MOST_BYTES)?;
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| malformed(path, error.to_string()))?;
        let header = metadata.metadata().as_ref().and_then(|map| map.get(KEY));
        let header = header.ok_or_else(|| malformed(path, format!("the header has no `{KEY}` metadata")))?;
        let header: ActivationHeader =
            serde_json::from_str(header).map_err(|error| malformed(path, format!("metadata: {error}")))?;
        if header.format != FORMAT {
            return Err(malformed(path, format!("`format` is `{}`, expected `{FORMAT}`", header.format)));
        }
        if header.layers.is_empty() || !header.share.is_sound() {
            return Err(malformed(path, "it names no layers, or a part that cannot be".into()));
        }
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| malformed(path, error.to_string()))?;
        let file =
            Tensors { path, tensors, width: header.provenance.site_width.unwrap_or(header.provenance.hidden_size) };
        let train = file.part("train", &header.layers)?;
        let tokens = (0..header.n_token_pairs).map(|index| file.tokens(index, header.layers.len()));
        let tokens = tokens.collect::<Result<Vec<_>>>()?;
        let held_out = file.part("held_out", &header.layers)?;
        Ok(Self { train: PairActivations { tokens, ..train }, held_out, header })
    }

    /// The activations of all parts, given in any order, as if they had been read at once.
    ///
    /// # Errors
    /// A file that breaks a rule, parts of other settings, models or rows, missing or repeated ones.
    pub fn merged(paths: &[PathBuf]) -> Result<Self> {
        let mut parts = paths.iter().map(|path| Ok((path.clone(), Self::load(path)?))).collect::<Result<Vec<_>>>()?;
        let Some((first, whole)) = parts.first().map(|(path, part)| (path.clone(), part.header.of_whole())) else {
            return Err(Error::ShardsMissing { parts: vec!["1".into()], of: 1 });
        };
        for (path, part) in &parts[1..] {
            if let Some(what) = part.header.of_whole().difference(&whole) {
                let rule = format!("was made with other {what} than {}", first.display());
                return Err(Error::Shards { path: path.clone(), rule });
            }
        }
        check_complete(&parts.iter().map(|(path, part)| (path.clone(), part.header.share)).collect::<Vec<_>>())?;
        parts.sort_by_key(|(_, part)| part.header.share.part);
        let (train, held_out) = parts.into_iter().map(|(_, part)| (part.train, part.held_out)).unzip();
        let (train, held_out) = (joined(train)?, joined(held_out)?);
        let header = ActivationHeader { n_token_pairs: train.tokens.len(), ..whole };
        Ok(Self { header, train, held_out })
    }
}

impl ActivationHeader {
    /// The header without what is of a part alone.
    fn of_whole(&self) -> Self {
        let n = self.share.n;
        Self { share: Share { part: 1, of: 1, first: 0, end: n, n }, n_token_pairs: 0, ..self.clone() }
    }

    /// What differs, as messages call it.
    fn difference(&self, other: &Self) -> Option<&'static str> {
        let differs = [
            ("model", self.provenance.model_hash != other.provenance.model_hash),
            ("settings", self.settings != other.settings),
            ("rows", self.data_hash != other.data_hash || self.share != other.share),
        ];
        let found = differs.into_iter().find(|(_, differs)| *differs).map(|(what, _)| what);
        found.or((self != other).then_some("options"))
    }
}

/// Pairs of several parts, one part after the other; parts without any are passed over.
fn joined(parts: Vec<PairActivations>) -> Result<PairActivations> {
    let mut all = PairActivations::default();
    let mut layers: Vec<Vec<LayerPairs>> = Vec::new();
    for part in parts {
        all.tokens.extend(part.tokens);
        let n = all.read.len();
        all.read.extend(n..n + part.read.len());
        layers.resize_with(layers.len().max(part.layers.len()), Vec::new);
        layers.iter_mut().zip(part.layers).for_each(|(all, pairs)| all.push(pairs));
    }
    for pairs in layers {
        let [positive, negative] = [LayerPairs::positive, LayerPairs::negative].map(|pole| {
            let views: Vec<_> = pairs.iter().map(pole).collect();
            concatenate(Axis(0), &views).expect("all parts have the width that the header names")
        });
        all.layers.push(LayerPairs::new(pairs[0].layer(), positive, negative)?);
    }
    Ok(all)
}

/// The tensors of a file, each of known width.
struct Tensors<'a> {
    path: &'a Path,
    tensors: SafeTensors<'a>,
    width: usize,
}

impl Tensors<'_> {
    /// The pairs of a part; none where the file has no tensor of it.
    fn part(&self, part: &str, layers: &[usize]) -> Result<PairActivations> {
        let prefix = format!("{part}.");
        let mut found = PairActivations::default();
        if !self.tensors.names().iter().any(|name| name.starts_with(&prefix)) {
            return Ok(found);
        }
        for &layer in layers {
            let pole = |pole: &str| self.matrix(&format!("{part}.layer_{layer}.{pole}"));
            let pairs = LayerPairs::new(layer, pole("positive")?, pole("negative")?)?;
            let n = pairs.n_pairs();
            if found.layers.first().is_some_and(|first| first.n_pairs() != n) {
                return Err(malformed(self.path, format!("layer {layer} of `{part}` has {n} pairs, others have not")));
            }
            found.read = (0..n).collect();
            found.layers.push(pairs);
        }
        Ok(found)
    }

    fn matrix(&self, name: &str) -> Result<Array2<f32>> {
        let (shape, values) = self.values(name)?;
        match shape[..] {
            [n, width] if width == self.width => Array2::from_shape_vec((n, width), values)
                .map_err(|error| malformed(self.path, format!("tensor `{name}`: {error}"))),
            _ => Err(malformed(self.path, format!("tensor `{name}` is {shape:?}, expected (pairs, {})", self.width))),
        }
    }

    fn tokens(&self, index: usize, n_layers: usize) -> Result<[TokenActivations; 2]> {
        let text = |pole: &str| {
            let name = format!("tokens.{index}.{pole}");
            let (shape, values) = self.values(&name)?;
            let is_right = shape.len() == 3 && (shape[0] == 0 || shape[1..] == [n_layers, self.width]);
            if !is_right {
                let expected = format!("(tokens, {n_layers}, {})", self.width);
                return Err(malformed(self.path, format!("tensor `{name}` is {shape:?}, expected {expected}")));
            }
            let token = |values: &[f32]| values.chunks(self.width.max(1)).map(<[f32]>::to_vec).collect();
            Ok(values.chunks((n_layers * self.width).max(1)).map(token).collect())
        };
        Ok([text("positive")?, text("negative")?])
    }

    /// Shape and finite values of an f32 tensor.
    fn values(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
        let wrong = |rule: String| malformed(self.path, format!("tensor `{name}` {rule}"));
        let view = self.tensors.tensor(name).map_err(|_| wrong("is missing".into()))?;
        if view.dtype() != Dtype::F32 {
            return Err(wrong(format!("is {:?}, expected F32", view.dtype())));
        }
        let values = finite_values(&view).map_err(|(index, value)| wrong(format!("holds {value} at {index}")))?;
        Ok((view.shape().to_vec(), values))
    }
}

fn malformed(path: &Path, rule: String) -> Error {
    Error::Model(ModelError::Malformed { path: path.into(), format: "file of activations", rule })
}
