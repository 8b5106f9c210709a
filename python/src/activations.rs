//! Activations of texts by the hook names of TransformerLens.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use numpy::PyArrayDyn;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use redline_lab::Error;
use redline_lab::observer::Observer;
use redline_model::hook::TokenLayout;
use redline_model::{Chunk, Error as ModelError, Hook, HookPoint, Past, Site, Wanted};

use crate::aligner::Aligner;
use crate::convert::shaped;
use crate::error::OrRaise;
use crate::watch::watched;

/// Keeps whole activations at some points.
struct Keep<'a> {
    points: &'a [HookPoint],
    kept: BTreeMap<HookPoint, Tensor>,
}

impl Hook for Keep<'_> {
    fn wants(&self, point: HookPoint) -> bool {
        self.points.contains(&point)
    }

    fn on(&mut self, point: HookPoint, x: &Tensor, _: &TokenLayout) -> redline_model::Result<Option<Tensor>> {
        let x = x.to_device(&Device::Cpu)?;
        // one row a pass: patterns need no axis of rows
        let x = if matches!(point, HookPoint::Block { site: Site::AttnPattern, .. }) { x.squeeze(0)? } else { x };
        self.kept.insert(point, x);
        Ok(None)
    }

    fn last_layer(&self) -> Option<usize> {
        let layer = |point: &HookPoint| match point {
            HookPoint::Embed => Some(0),
            HookPoint::Block { layer, .. } => Some(*layer),
            HookPoint::FinalNorm => None,
        };
        self.points.iter().map(layer).collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

/// Shape and values of an activation.
type Values = (Vec<usize>, Vec<f32>);

#[pymethods]
impl Aligner {
    /// Activations at hook points, by name: hook_embed, blocks.3.hook_resid_post, blocks.3.attn.hook_z, blocks.3.attn.hook_pattern,
    /// ln_final.hook_normalized, and hook_resid_pre, hook_resid_mid, hook_attn_out, hook_mlp_out of blocks.
    ///
    /// texts is one text or a list of token ids: arrays are (tokens, width), of hook_z (tokens, heads, width of a head), of hook_pattern
    /// (heads, tokens, tokens). A list of texts gives a list of such dictionaries. A text is read after the token that begins texts, where
    /// the model has one; tokens() shows which.
    #[pyo3(signature = (texts, names=vec!["blocks.0.hook_resid_post".to_owned()], *, progress=None))]
    fn activations<'py>(
        &self,
        texts: &Bound<'py, PyAny>,
        names: Vec<String>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = texts.py();
        let points = names.iter().map(|name| self.point(name)).collect::<Result<Vec<_>, Error>>().or_raise(py)?;
        let is_one = texts.is_instance_of::<PyString>() || texts.extract::<Vec<u32>>().is_ok_and(|ids| !ids.is_empty());
        let rows = match is_one {
            true => vec![self.ids(texts)?],
            false => texts.try_iter()?.map(|text| self.ids(&text?)).collect::<PyResult<Vec<_>>>()?,
        };
        let found = watched(py, progress, |watch| {
            let mut found = Vec::with_capacity(rows.len());
            for (row, tokens) in rows.iter().enumerate() {
                watch.progress("reading", row, rows.len())?;
                found.push(self.read(tokens, &points)?);
            }
            Ok(found)
        })?;
        let mut dictionaries = Vec::with_capacity(found.len());
        for values in found {
            let dictionary = PyDict::new(py);
            for (name, (shape, values)) in names.iter().zip(values) {
                let array: Bound<'py, PyArrayDyn<f32>> = shaped(py, values, &shape)?;
                dictionary.set_item(name, array)?;
            }
            dictionaries.push(dictionary);
        }
        match (is_one, dictionaries.pop()) {
            (true, Some(only)) => Ok(only.into_any()),
            (_, last) => {
                dictionaries.extend(last);
                Ok(dictionaries.into_pyobject(py)?.into_any())
            }
        }
    }
}

impl Aligner {
    /// A hook point that the model has.
    fn point(&self, name: &str) -> Result<HookPoint, Error> {
        let point: HookPoint = name.parse()?;
        let n_layers = self.aligner.model.decoder.config().n_layers;
        match point {
            HookPoint::Block { layer, .. } if layer >= n_layers => {
                let message = format!("{name}: the model has layers 0 to {}", n_layers - 1);
                Err(Error::option(message, "name a layer that it has"))
            }
            point => Ok(point),
        }
    }

    /// Token ids of a text, or those given.
    fn ids(&self, text: &Bound<'_, PyAny>) -> PyResult<Vec<u32>> {
        let py = text.py();
        let ids = match text.extract::<String>() {
            Ok(text) => {
                let tokenizer = self.aligner.tokenizer().or_raise(py)?;
                tokenizer.encode_prompt(&text).or_raise(py)?
            }
            Err(_) => text
                .extract::<Vec<u32>>()
                .map_err(|_| PyTypeError::new_err("texts are text, lists of token ids, or a list of these"))?,
        };
        let context = self.aligner.model.decoder.config().context;
        if ids.is_empty() || ids.len() > context {
            let message = format!("a text has {} tokens, the model takes 1 to {context}", ids.len());
            return Err(crate::error::hinted(py, &message, Some("give a text of that length")));
        }
        Ok(ids)
    }

    /// One pass over one text.
    fn read(&self, tokens: &[u32], points: &[HookPoint]) -> Result<Vec<Values>, Error> {
        let mut keep = Keep { points, kept: BTreeMap::new() };
        let wanted = if points.contains(&HookPoint::FinalNorm) { Wanted::All } else { Wanted::Nothing };
        let mut chunks = [Chunk { tokens, past: Past::None { row: 0 } }];
        self.aligner.model.decoder.forward(&mut chunks, &mut keep, &wanted)?;
        let values = |point: &HookPoint| -> Result<Values, Error> {
            let x = keep.kept.get(point).ok_or_else(|| ModelError::UnknownHookPoint { name: point.to_string() })?;
            let values = x.flatten_all().and_then(|x| x.to_vec1()).map_err(ModelError::from)?;
            Ok((x.dims().to_vec(), values))
        };
        points.iter().map(values).collect()
    }
}
