//! Corrections: one answer, many, or one as it is written.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use redline_lab::Error;
use redline_lab::aligner::Aligner as LabAligner;
use redline_lab::built_in;
use redline_lab::correct::{Asked, Injection, WriteOptions, Wrote, write};
use redline_lab::observer::Observer;
use redline_lab::steering::MoreVectors;
use redline_model::sampling::SamplingOptions;
use redline_model::{Error as ModelError, Question, TrimmedStream};
use redline_steer::inject::add_effects;
use redline_steer::{EditRatios, Error as SteerError, Inject, LayerEffect, Operator, TokenRange, check_coefficients};
use serde_json::{Value, json};

use crate::aligner::Aligner;
use crate::convert::to_dict;
use crate::error::{OrRaise, hinted, raised};
use crate::rows::read_answers;
use crate::vector::ControlVector;
use crate::watch::{Watch, watched};

/// Pieces of text that wait to be taken.
const PIECES: usize = 64;
/// How often a waiting stream looks for signals.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How answers are corrected.
#[derive(Clone)]
pub struct Asking {
    pub vector: Option<ControlVector>,
    pub coefficient: f32,
    pub range: TokenRange,
    pub any_model: bool,
    pub options: WriteOptions,
}

impl Asking {
    /// A hook that injects, where something steers.
    pub fn injection(&self, aligner: &LabAligner) -> Result<Option<Injection>, Error> {
        let Some(vector) = &self.vector else { return Ok(None) };
        vector.check(aligner, self.any_model)?;
        let (range, operator) = (self.range, Operator::Add);
        Ok(Some(Injection {
            inject: Inject::new(&[&vector.vector], range, aligner.model.decoder.config())?,
            range,
            operator,
            coefficient: self.coefficient,
            policy: None,
            copy_bias: 0.0,
            more: MoreVectors::default(),
        }))
    }

    /// Refuses a vector that should have steered and touched nothing.
    fn check_effect(&self, effect: &BTreeMap<usize, LayerEffect>) -> Result<(), Error> {
        match self.coefficient != 0.0 && effect.values().all(|layer| layer.edits == 0) {
            true => Err(SteerError::NoEffect { range: self.range.to_string() }.into()),
            false => Ok(()),
        }
    }
}

/// How tokens are chosen, checked.
pub fn sampling(
    py: Python<'_>,
    temperature: f64,
    (top_k, top_p): (Option<usize>, Option<f64>),
    repetition_penalty: f32,
    seed: u64,
) -> PyResult<SamplingOptions> {
    let sampling = SamplingOptions { temperature, top_k, top_p, repetition_penalty, seed };
    sampling.check().or_raise(py)?;
    Ok(sampling)
}

impl Aligner {
    /// What is asked of the Aligner, with its defaults.
    pub fn asking(
        &self,
        py: Python<'_>,
        vector: Option<&ControlVector>,
        coefficient: f32,
        (range, any_model): (Option<&str>, bool),
        options: WriteOptions,
    ) -> PyResult<Asking> {
        check_coefficients(&[coefficient]).or_raise(py)?;
        if vector.is_none() && coefficient != 0.0 {
            let message = format!("coefficient {coefficient} is given, but no vector to steer by");
            return Err(hinted(py, &message, Some("give a vector too; extract() makes one")));
        }
        let range = self.positions(py, range)?;
        Ok(Asking { vector: vector.cloned(), coefficient, range, any_model, options })
    }

    /// The positions asked for, or those that suit the Aligner.
    pub fn positions(&self, py: Python<'_>, range: Option<&str>) -> PyResult<TokenRange> {
        range.map_or_else(|| Ok(built_in::range(self.built_in)), |range| range.parse().or_raise(py))
    }
}

#[pymethods]
impl Aligner {
    /// Corrects an answer. With a vector, coefficient below 0 copies more, above 0 corrects more.
    #[pyo3(signature = (
        question, answer, *, vector=None, coefficient=0.0, max_new_tokens=256, range=None, temperature=0.0, top_k=None, top_p=None,
        repetition_penalty=1.0, seed=0, any_model=false, progress=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn correct(
        &self,
        py: Python<'_>,
        question: String,
        answer: String,
        vector: Option<&ControlVector>,
        coefficient: f32,
        max_new_tokens: usize,
        range: Option<&str>,
        temperature: f64,
        top_k: Option<usize>,
        top_p: Option<f64>,
        repetition_penalty: f32,
        seed: u64,
        any_model: bool,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Correction> {
        let sampling = sampling(py, temperature, (top_k, top_p), repetition_penalty, seed)?;
        let options = WriteOptions { max_new_tokens, sampling, ..WriteOptions::default() };
        let asking = self.asking(py, vector, coefficient, (range, any_model), options)?;
        let aligner = &self.aligner;
        watched(py, progress, |watch| {
            let mut injection = asking.injection(aligner)?;
            let asked = Asked { row: 0, question: &question, answer: &answer };
            let mut n = 0;
            let on_token = &mut |_| {
                n += 1;
                watch.progress("correcting", n, max_new_tokens)
            };
            let wrote = write_one(aligner, asked, &asking.options, injection.as_mut(), on_token)?;
            let effect = injection.as_ref().map_or_else(BTreeMap::new, |by| by.inject.effect());
            asking.check_effect(&effect)?;
            Ok(Correction::new(Question { question, answer }, wrote, effect))
        })
    }

    /// Corrects many answers, batch_rows of them together. A list of corrections in the order of the rows, which need no correction of their
    /// own.
    #[pyo3(signature = (
        rows, *, vector=None, coefficient=0.0, max_new_tokens=256, range=None, temperature=0.0, top_k=None, top_p=None,
        repetition_penalty=1.0, seed=0, batch_rows=16, any_model=false, progress=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn correct_many(
        &self,
        rows: &Bound<'_, PyAny>,
        vector: Option<&ControlVector>,
        coefficient: f32,
        max_new_tokens: usize,
        range: Option<&str>,
        temperature: f64,
        top_k: Option<usize>,
        top_p: Option<f64>,
        repetition_penalty: f32,
        seed: u64,
        batch_rows: usize,
        any_model: bool,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<Correction>> {
        let py = rows.py();
        let sampling = sampling(py, temperature, (top_k, top_p), repetition_penalty, seed)?;
        let options = WriteOptions { max_new_tokens, sampling, ..WriteOptions::default() };
        let asking = self.asking(py, vector, coefficient, (range, any_model), options)?;
        let questions = read_answers(rows)?;
        watched(py, progress, |watch| write_many(&self.aligner, &questions, &asking, batch_rows, watch))
    }

    /// Corrects an answer and gives the text piece by piece, as it is written.
    #[pyo3(signature = (
        question, answer, *, vector=None, coefficient=0.0, max_new_tokens=256, range=None, temperature=0.0, top_k=None, top_p=None,
        repetition_penalty=1.0, seed=0, any_model=false
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn stream(
        &self,
        py: Python<'_>,
        question: String,
        answer: String,
        vector: Option<&ControlVector>,
        coefficient: f32,
        max_new_tokens: usize,
        range: Option<&str>,
        temperature: f64,
        top_k: Option<usize>,
        top_p: Option<f64>,
        repetition_penalty: f32,
        seed: u64,
        any_model: bool,
    ) -> PyResult<Stream> {
        let sampling = sampling(py, temperature, (top_k, top_p), repetition_penalty, seed)?;
        let options = WriteOptions { max_new_tokens, sampling, ..WriteOptions::default() };
        let asking = self.asking(py, vector, coefficient, (range, any_model), options)?;
        Ok(Stream::begin(Arc::clone(&self.aligner), Question { question, answer }, asking))
    }
}

/// Writes the correction of one answer; `on_token` can end the work.
pub fn write_one(
    aligner: &LabAligner,
    asked: Asked<'_>,
    options: &WriteOptions,
    injection: Option<&mut Injection>,
    on_token: &mut dyn FnMut(u32) -> redline_model::Result<()>,
) -> Result<Wrote, Error> {
    let origin = |_: usize| "the answer".to_owned();
    let mut go_on = |_, token| on_token(token).map(|()| ControlFlow::Continue(()));
    let wrote = write(aligner, &[asked], options, injection, &origin, &mut go_on)?;
    wrote.into_iter().next().unwrap_or_else(|| Err(ModelError::Interrupted.into()))
}

/// Writes the corrections of many answers.
pub fn write_many(
    aligner: &LabAligner,
    questions: &[Question],
    asking: &Asking,
    batch_rows: usize,
    watch: &mut Watch,
) -> Result<Vec<Correction>, Error> {
    let mut injection = asking.injection(aligner)?;
    let (mut corrections, mut all) = (Vec::with_capacity(questions.len()), BTreeMap::new());
    for (batch, part) in questions.chunks(batch_rows.max(1)).enumerate() {
        let first = batch * batch_rows.max(1);
        watch.progress("correcting", first, questions.len())?;
        let asked: Vec<Asked<'_>> =
            (first..).zip(part).map(|(row, Question { question, answer })| Asked { row, question, answer }).collect();
        let origin = |row: usize| format!("row {row}");
        let on_token = &mut |_, _| watch.look().map(|()| ControlFlow::Continue(()));
        let wrote = write(aligner, &asked, &asking.options, injection.as_mut(), &origin, on_token)?;
        for ((row, question), wrote) in (first..).zip(part).zip(wrote) {
            let effect = injection.as_ref().map_or_else(BTreeMap::new, |by| by.inject.row_effect(row));
            add_effects(&mut all, &effect);
            corrections.push(Correction::new(question.clone(), wrote?, effect));
        }
        if let Some(by) = &mut injection {
            by.inject.clear_rows();
        }
    }
    watch.progress("correcting", questions.len(), questions.len())?;
    asking.check_effect(&all)?;
    Ok(corrections)
}

/// A corrected answer.
#[pyclass(frozen, module = "redline")]
pub struct Correction {
    question: Question,
    pub wrote: Wrote,
    ratios: EditRatios,
    effect: BTreeMap<usize, LayerEffect>,
}

#[pymethods]
impl Correction {
    /// The correction.
    #[getter]
    fn text(&self) -> &str {
        &self.wrote.text
    }

    /// The question.
    #[getter]
    fn question(&self) -> &str {
        &self.question.question
    }

    /// The answer that was corrected.
    #[getter]
    fn answer(&self) -> &str {
        &self.question.answer
    }

    /// The coefficient that it was steered by; 0 where nothing steered.
    #[getter]
    fn coefficient(&self) -> f32 {
        self.wrote.coefficient
    }

    /// Whether the length limit cut it.
    #[getter]
    fn truncated(&self) -> bool {
        self.wrote.truncated
    }

    /// Token ids of what was written.
    #[getter]
    fn tokens(&self) -> Vec<u32> {
        self.wrote.tokens.clone()
    }

    /// Levenshtein distance from the answer, divided by the answer's length.
    #[getter]
    fn edit_ratio(&self) -> Option<f64> {
        self.ratios.char
    }

    /// 1 − distance / longer length.
    #[getter]
    fn similarity(&self) -> f64 {
        self.ratios.similarity
    }

    /// Whether the answer was copied.
    #[getter]
    fn exact_copy(&self) -> bool {
        self.ratios.exact_copy
    }

    /// Layer → how many activations were changed there: the proof that the vector touched something.
    #[getter]
    fn edits(&self) -> BTreeMap<usize, u64> {
        self.effect.iter().map(|(&layer, effect)| (layer, effect.edits)).collect()
    }

    /// The correction as a dictionary.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_dict(py, &self.as_json())
    }

    fn _repr_html_<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.import("redline._html")?.call_method1("difference", (&self.question.answer, &self.wrote.text))
    }

    fn __str__(&self) -> &str {
        &self.wrote.text
    }

    fn __repr__(&self) -> String {
        let ratio = self.ratios.char.map_or_else(String::new, |ratio| format!(", edit ratio {ratio:.3}"));
        let start: String = self.wrote.text.chars().take(40).collect();
        format!("<redline.Correction {start:?}{ratio}, coefficient {}>", self.wrote.coefficient)
    }
}

impl Correction {
    fn new(question: Question, wrote: Wrote, effect: BTreeMap<usize, LayerEffect>) -> Self {
        let ratios = EditRatios::new(question.answer.trim(), &wrote.text);
        Self { question, wrote, ratios, effect }
    }

    fn as_json(&self) -> Value {
        json!({
            "question": self.question.question,
            "answer": self.question.answer,
            "correction": self.wrote.text,
            "coefficient": self.wrote.coefficient,
            "truncated": self.wrote.truncated,
            "n_tokens": self.wrote.tokens.len(),
            "ratios": self.ratios,
            "effect": self.effect,
        })
    }
}

/// The text of a correction, piece by piece.
#[pyclass(frozen, module = "redline")]
pub struct Stream {
    pieces: Mutex<Receiver<Result<String, Error>>>,
    is_over: Arc<AtomicBool>,
}

#[pymethods]
impl Stream {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<String>> {
        loop {
            let piece =
                py.detach(|| self.pieces.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(LOOK_EVERY));
            match piece {
                Ok(piece) => return piece.map(Some).map_err(|error| raised(py, error)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => py.check_signals().inspect_err(|_| self.close())?,
            }
        }
    }

    /// Ends the writing; pieces that wait are still given.
    fn close(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.close();
    }
}

impl Stream {
    fn begin(aligner: Arc<LabAligner>, question: Question, asking: Asking) -> Self {
        let (sender, pieces) = sync_channel(PIECES);
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        std::thread::spawn(move || {
            // who has gone needs no piece
            let tell = |piece: String| match piece.is_empty() || sender.send(Ok(piece)).is_ok() {
                true if !stop.load(Ordering::Relaxed) => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            };
            if let Err(error) = speak(&aligner, &question, &asking, &tell) {
                let _ = sender.send(Err(error));
            }
        });
        Self { pieces: Mutex::new(pieces), is_over }
    }
}

/// Writes a correction aloud.
fn speak(
    aligner: &LabAligner,
    Question { question, answer }: &Question,
    asking: &Asking,
    tell: &dyn Fn(String) -> ControlFlow<()>,
) -> Result<(), Error> {
    let mut injection = asking.injection(aligner)?;
    let mut stream = TrimmedStream::new(aligner.tokenizer()?);
    let origin = |_: usize| "the answer".to_owned();
    let mut ended = false;
    let on_token = &mut |_, token| {
        let flow = tell(stream.push(token)?);
        ended = flow.is_break();
        Ok(flow)
    };
    let asked = [Asked { row: 0, question, answer }];
    let wrote = write(aligner, &asked, &asking.options, injection.as_mut(), &origin, on_token)?;
    wrote.into_iter().try_for_each(|wrote| wrote.map(|_| ()))?;
    if !ended {
        let _ = tell(stream.finish()?);
    }
    Ok(())
}
