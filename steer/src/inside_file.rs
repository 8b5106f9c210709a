//! Aligners inside a model on disk: safetensors with `blocks.{i}.down` (rank, width) and `blocks.{i}.up` (width, rank) in f32, and the key
//! `redline_inside` in the metadata, which holds [`InsideOrigin`] as JSON.
//!
//! A reader MUST refuse another `schema`, `activation` or `site`, a layer without both tensors, a tensor of no layer, other shapes than
//! `rank` and `hidden_size` say, layers that do not ascend below `n_layers`, and values that are not finite.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Path;

use redline_model::files::{open, read, write_atomically};
use redline_model::{InsideBlock, ModelConfig, Site};
use redline_probe::Error as ProbeError;
use redline_probe::artifact::Training;
use redline_probe::tensors::finite_values;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};

use crate::{ControlVector, Error, Result, TokenRange};

/// Most bytes of a file.
const MOST_BYTES: u64 = 1 << 30;
/// Value of `schema`.
pub const SCHEMA: &str = "redline.inside.v1";
/// Value of `activation`: φ between the matrices.
pub const ACTIVATION: &str = "silu";
/// Key of the metadata in the safetensors header.
const KEY: &str = "redline_inside";
/// How such a file begins, after the eight bytes of its header's length.
pub const MARK: &[u8] = b"{\"__metadata__\":{\"redline_inside\":";

/// Where an Aligner inside a model came from, and its sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InsideOrigin {
    /// [`SCHEMA`].
    pub schema: String,
    /// Rows of W_down.
    pub rank: usize,
    /// Blocks behind which there is a network, ascending.
    pub layers: Vec<usize>,
    /// [`ACTIVATION`].
    pub activation: String,
    /// Where in a block it reads and adds.
    pub site: String,
    /// SHA-256 of the model's weight files.
    pub model_hash: String,
    /// Name of the model's file or folder.
    pub model_name: String,
    /// Architecture name.
    pub architecture: String,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Number of the model's blocks.
    pub n_layers: usize,
    /// Name of the template.
    pub template: String,
    /// Hashes of the questions that it has seen, for leak checks.
    pub questions: Vec<String>,
    /// How it was trained.
    pub training: Training,
}

/// A file, read.
#[derive(Debug, Clone, PartialEq)]
pub struct InsideFile {
    /// The networks; at coefficient g, g times their outputs are added.
    pub control: ControlVector,
    /// Where they came from.
    pub origin: InsideOrigin,
}

impl InsideFile {
    /// Whether a file is one, by its beginning; whatever cannot be read is none.
    pub fn is_one(path: &Path) -> bool {
        let mut head = vec![0; 8 + MARK.len()];
        open(path).is_ok_and(|mut file| file.read_exact(&mut head).is_ok()) && head[8..] == *MARK
    }

    /// Positions over which it was trained.
    ///
    /// # Errors
    /// The file names none that is known.
    pub fn range(&self) -> Result<TokenRange> {
        self.origin.training.range.parse()
    }

    /// Writes the file; it appears under its name only when complete.
    ///
    /// # Errors
    /// Vectors beside the networks, networks that are not those that the origin says, or a folder that cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.check(path)?;
        let refuse = |rule: String| refuse(path, rule);
        let header = serde_json::to_string(&self.origin).map_err(|error| refuse(error.to_string()))?;
        let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let tensors = self.control.inside.iter().flat_map(|(layer, block)| {
            let [down, up] = names(*layer);
            let (rank, width) = (block.rank(), block.width());
            [(down, vec![rank, width], bytes(block.down())), (up, vec![width, rank], bytes(block.up()))]
        });
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = tensors.collect();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
            Ok((name.as_str(), view.map_err(|error| refuse(format!("{name}: {error}")))?))
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        let bytes = serialize(views, Some(HashMap::from([(KEY.to_owned(), header)])));
        Ok(write_atomically(path, &bytes.map_err(|error| refuse(error.to_string()))?)?)
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// Any broken rule of the format, with the file and the tensor.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = read(path, MOST_BYTES)?;
        let refuse = |rule: String| refuse(path, rule);
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| refuse(error.to_string()))?;
        let header = metadata.metadata().as_ref().and_then(|map| map.get(KEY));
        let header = header.ok_or_else(|| refuse(format!("the header has no `{KEY}` metadata")))?;
        let origin: InsideOrigin =
            serde_json::from_str(header).map_err(|error| refuse(format!("metadata: {error}")))?;
        origin.check(path)?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| refuse(error.to_string()))?;
        let (rank, width) = (origin.rank, origin.hidden_size);
        let mut inside = BTreeMap::new();
        for &layer in &origin.layers {
            let [down, up] = names(layer);
            let down = values(path, &file, &down, [rank, width])?;
            inside.insert(layer, InsideBlock::new(width, down, values(path, &file, &up, [width, rank])?)?);
        }
        let known: Vec<String> = origin.layers.iter().flat_map(|layer| names(*layer)).collect();
        if let Some(name) = file.names().into_iter().find(|name| !known.iter().any(|one| one == name)) {
            return Err(refuse(format!("tensor `{name}` belongs to none of the layers {:?}", origin.layers)));
        }
        let found = Self { control: ControlVector::of_networks(inside)?, origin };
        found.range()?;
        Ok(found)
    }

    /// Refuses a model of another shape than the one it was trained in.
    ///
    /// # Errors
    /// Another hidden size or number of blocks.
    pub fn check_shape(&self, path: &Path, config: &ModelConfig) -> Result<()> {
        let (got, expected) = ([self.origin.n_layers, self.origin.hidden_size], [config.n_layers, config.hidden_size]);
        match got == expected {
            true => Ok(()),
            false => Err(ProbeError::VectorShape { path: path.into(), got, expected }.into()),
        }
    }

    /// Refuses a model of other weights, even of the same shape.
    ///
    /// # Errors
    /// As [`InsideFile::check_shape`], or the fingerprints differ.
    pub fn check_model(&self, path: &Path, config: &ModelConfig, model_hash: &str) -> Result<()> {
        self.check_shape(path, config)?;
        let (vector, model) = (self.origin.model_hash.clone(), model_hash.to_owned());
        match vector == model {
            true => Ok(()),
            false => Err(ProbeError::VectorModel { path: path.into(), vector, model }.into()),
        }
    }

    /// That the networks are those that the origin says.
    fn check(&self, path: &Path) -> Result<()> {
        self.origin.check(path)?;
        let is_of_rank = |layer: &usize| {
            let block = self.control.inside.get(layer);
            block.is_some_and(|block| (block.rank(), block.width()) == (self.origin.rank, self.origin.hidden_size))
        };
        let is_same = self.control.steered_layers() == self.origin.layers && self.origin.layers.iter().all(is_of_rank);
        match is_same && self.control.layers.is_empty() {
            true => Ok(()),
            false => Err(refuse(path, "its networks are not those that its metadata says".into())),
        }
    }
}

impl InsideOrigin {
    fn check(&self, path: &Path) -> Result<()> {
        let refuse = |rule: String| Err(refuse(path, rule));
        let site = Site::ResidPost.to_string();
        let texts = [
            ("schema", &self.schema, SCHEMA),
            ("activation", &self.activation, ACTIVATION),
            ("site", &self.site, site.as_str()),
        ];
        if let Some((key, got, expected)) = texts.into_iter().find(|(_, got, expected)| got != expected) {
            return refuse(format!("`{key}` is `{got}`, expected `{expected}`"));
        }
        let last = self.layers.last();
        if !self.layers.is_sorted_by(|a, b| a < b) || last.is_none_or(|last| *last >= self.n_layers) {
            return refuse(format!("its layers {:?} do not ascend below {}", self.layers, self.n_layers));
        }
        if self.rank == 0 || self.hidden_size == 0 {
            return refuse(format!("rank {} and width {} must be above 0", self.rank, self.hidden_size));
        }
        Ok(())
    }
}

/// Names of the tensors of a layer: W_down and W_up.
fn names(layer: usize) -> [String; 2] {
    ["down", "up"].map(|matrix| format!("blocks.{layer}.{matrix}"))
}

fn refuse(path: &Path, rule: String) -> Error {
    Error::NotAnInside { path: path.into(), rule }
}

/// A finite f32 tensor.
fn values(path: &Path, file: &SafeTensors<'_>, name: &str, shape: [usize; 2]) -> Result<Vec<f32>> {
    let view = file.tensor(name).map_err(|_| refuse(path, format!("tensor `{name}` is missing")))?;
    if view.dtype() != Dtype::F32 || view.shape() != shape {
        let rule = format!("tensor `{name}` is {:?} {:?}, expected F32 {shape:?}", view.dtype(), view.shape());
        return Err(refuse(path, rule));
    }
    finite_values(&view).map_err(|(index, value)| refuse(path, format!("tensor `{name}` holds {value} at {index}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> InsideFile {
        let training = Training {
            goal: "correction".into(),
            range: "output".into(),
            n_rows: 8,
            n_development: 2,
            n_steps: 10,
            best_step: 5,
            batch_rows: 4,
            learning_rate: 0.1,
            seed: 0,
            start_loss: 2.0,
            best_loss: 1.5,
        };
        let origin = InsideOrigin {
            schema: SCHEMA.into(),
            rank: 2,
            layers: vec![0, 3],
            activation: ACTIVATION.into(),
            site: Site::ResidPost.to_string(),
            model_hash: "m".into(),
            model_name: "model".into(),
            architecture: "a".into(),
            hidden_size: 3,
            n_layers: 4,
            template: "aligner".into(),
            questions: vec!["q".into()],
            training,
        };
        let block = |seed: f32| {
            let values = |add: f32| (0..6).map(|i| seed + add + i as f32 / 7.0).collect::<Vec<f32>>();
            InsideBlock::new(3, values(0.0), values(0.5)).unwrap()
        };
        InsideFile { control: ControlVector::of_networks([(0, block(0.1)), (3, block(-0.4))].into()).unwrap(), origin }
    }

    #[test]
    fn files_round_trip_and_carry_their_mark() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let file = file();
        file.save(&path).unwrap();
        assert!(InsideFile::is_one(&path) && !InsideFile::is_one(folder.path()));
        assert_eq!(InsideFile::load(&path).unwrap(), file);
        let config = ModelConfig::llama([320, 32, 64, 2, 4], 256);
        assert!(file.check_shape(&path, &config).unwrap_err().to_string().contains("4"), "blocks and width");
    }

    /// What a file with one thing changed is refused for.
    fn refusal(change: impl Fn(&mut InsideOrigin, &mut Vec<(String, Vec<usize>, Vec<f32>)>)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let InsideFile { control, mut origin } = file();
        let tensors = control.inside.iter().flat_map(|(layer, block)| {
            let [down, up] = names(*layer);
            [(down, vec![2, 3], block.down().to_vec()), (up, vec![3, 2], block.up().to_vec())]
        });
        let mut tensors: Vec<_> = tensors.collect();
        change(&mut origin, &mut tensors);
        let bytes: Vec<Vec<u8>> = tensors
            .iter()
            .map(|(_, _, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect())
            .collect();
        let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
            (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
        });
        let header = HashMap::from([(KEY.to_owned(), serde_json::to_string(&origin).unwrap())]);
        std::fs::write(&path, serialize(views, Some(header)).unwrap()).unwrap();
        InsideFile::load(&path).unwrap_err().to_string()
    }

    #[test]
    fn what_breaks_a_rule_is_refused_by_name() {
        let refused = [
            (refusal(|origin, _| origin.schema = "redline.inside.v9".into()), "`schema` is `redline.inside.v9`"),
            (refusal(|origin, _| origin.activation = "relu".into()), "`activation` is `relu`, expected `silu`"),
            (refusal(|origin, _| origin.layers = vec![3, 0]), "do not ascend below 4"),
            (refusal(|origin, _| origin.layers = vec![0, 9]), "do not ascend below 4"),
            (refusal(|origin, _| origin.layers = vec![0, 2]), "tensor `blocks.2.down` is missing"),
            (refusal(|origin, _| origin.layers = vec![0]), "tensor `blocks.3."),
            (refusal(|origin, _| origin.rank = 7), "`blocks.0.down` is F32 [2, 3], expected F32 [7, 3]"),
            (refusal(|origin, _| origin.training.range = "some".into()), "some"),
            (refusal(|_, tensors| drop(tensors.remove(1))), "tensor `blocks.0.up` is missing"),
            (refusal(|_, tensors| tensors[2].2[4] = f32::NAN), "tensor `blocks.3.down` holds NaN at 4"),
        ];
        for (said, expected) in refused {
            assert!(said.contains(expected), "{said} for {expected}");
        }
        let InsideFile { control, mut origin } = file();
        origin.rank = 5;
        let error = InsideFile { control, origin }.save(Path::new("never")).unwrap_err().to_string();
        assert!(error.contains("not those that its metadata says"), "{error}");
    }
}
