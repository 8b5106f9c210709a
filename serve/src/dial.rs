//! Vectors that requests can name, and what a request asks of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use redline_model::ModelConfig;
use redline_probe::Reading;
use redline_steer::{ControlVector, LARGEST_COEFFICIENT, Operator, TokenRange, Unit, reading_control_vector};
use serde::{Deserialize, Serialize};

use super::routing::Routing;
use redline_lab::experiment::LayerSpec;
use redline_lab::policy::ReadPolicy;
use redline_lab::route::Route;

/// Choices of layers that are kept ready; a request with another one has it made anew.
const KEPT_CHOICES: usize = 64;

/// A named vector and how it is injected unless a request says otherwise.
#[derive(Debug, Clone)]
pub struct Dial {
    /// What requests call it.
    pub name: String,
    /// Where its directions come from.
    pub vector: DialVector,
    /// Layers.
    pub layers: LayerSpec,
    /// Positions.
    pub range: TokenRange,
    /// Nats that a unit of coefficient takes from the logit of the answer's next token.
    pub copy_bias: f32,
    /// The coefficient of requests that give none.
    pub coefficient: f32,
    /// Chooses the coefficient of requests that give none, in place of `coefficient`.
    pub policy: Option<Arc<ReadPolicy>>,
    /// What was measured with it, where something was.
    pub measured: Option<MeasuredDial>,
}

/// A vector as it was read.
#[derive(Debug, Clone)]
pub enum DialVector {
    /// A reading vector, which also makes scans, and the unit of its coefficients.
    Reading(Arc<Reading>, Unit),
    /// A control vector, whose scales are part of it, or an Aligner inside a model.
    Control(ControlVector),
}

/// The line of a sweep, within its coherent range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MeasuredDial {
    /// Lowest and highest coefficient that stay coherent.
    pub coherent_range: [f64; 2],
    /// Mean edit ratio at coefficient 0.
    pub intercept: f64,
    /// Change of the mean edit ratio for each unit.
    pub slope: f64,
}

impl MeasuredDial {
    /// The mean edit ratio at a coefficient; `None` outside the coherent range.
    pub fn predict(&self, coefficient: f64) -> Option<f64> {
        let [low, high] = self.coherent_range;
        (low..=high).contains(&coefficient).then_some(self.intercept + self.slope * coefficient)
    }
}

/// `steering` of a request.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SteeringRequest {
    /// Name of a vector; the first one of the server when missing.
    #[serde(alias = "profile")]
    pub vector: Option<String>,
    /// Signed strength.
    pub coefficient: Option<f32>,
    /// `auto`, `all`, `8-25`, `3,5,7`, or a list of numbers.
    pub layers: Option<LayersRequest>,
    /// How the vector meets the activation; `add` when missing.
    pub operator: Option<String>,
}

/// Layers as a request writes them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum LayersRequest {
    /// As on the command line.
    Text(String),
    /// Block numbers.
    List(Vec<usize>),
}

/// Why a request's steering cannot be had.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// No vector has this name.
    #[error("there is no vector `{name}`; this server has {}", known.join(", "))]
    UnknownVector {
        /// The name given.
        name: String,
        /// Those it has.
        known: Vec<String>,
    },
    /// The server has no vector.
    #[error("this server has no vector to steer with")]
    NoVector,
    /// Out of bounds.
    #[error("coefficient {coefficient} is not within ±{LARGEST_COEFFICIENT}")]
    Coefficient {
        /// The value given.
        coefficient: f32,
    },
    /// Layers that are malformed, or that the model or vector lacks.
    #[error("layers: {rule}")]
    Layers {
        /// The broken rule.
        rule: String,
    },
    /// An operator for vectors, and the dial is an Aligner inside a model.
    #[error("`{name}` is an Aligner inside a model, which is added; `{operator}` is for vectors")]
    OnlyAdded {
        /// The dial.
        name: String,
        /// The operator asked for.
        operator: Operator,
    },
    /// An operator that is not known.
    #[error("operator `{name}` is not known; this server has {}", Operator::ALL.map(Operator::name).join(", "))]
    UnknownOperator {
        /// The name given.
        name: String,
    },
}

/// A vector ready to inject. Requests with equal choices share one.
#[derive(Debug)]
pub struct ReadyVector {
    /// Directions with their scales.
    pub vector: ControlVector,
    /// Positions.
    pub range: TokenRange,
}

/// What a request is steered with.
#[derive(Debug, Clone)]
pub struct Steering {
    /// Name of the vector.
    pub name: String,
    /// What is injected.
    pub vector: Arc<ReadyVector>,
    /// Signed strength.
    pub coefficient: f32,
    /// How the vector meets the activation.
    pub operator: Operator,
    /// Nats that a unit of coefficient takes from the logit of the answer's next token.
    pub copy_bias: f32,
    /// Chooses the coefficient by the prompt, where the request gives none.
    pub policy: Option<Arc<ReadPolicy>>,
    /// Chooses vector and coefficient by the prompt, where the request asks for nothing.
    pub route: Option<Arc<Routing>>,
    /// What a sweep measured with the same choices, where one did.
    pub measured: Option<MeasuredDial>,
}

/// All vectors of a server.
pub struct Dials {
    dials: Vec<Dial>,
    routing: Option<Arc<Routing>>,
    config: ModelConfig,
    ready: Mutex<HashMap<String, Arc<ReadyVector>>>,
}

impl Dials {
    /// Checks every vector against the model.
    ///
    /// # Errors
    /// [`DialError::Layers`] for a vector that does not fit.
    pub fn new(dials: Vec<Dial>, config: ModelConfig) -> Result<Self, DialError> {
        let all = Self { dials, routing: None, config, ready: Mutex::default() };
        for dial in &all.dials {
            all.ready(dial, &dial.layers)?;
        }
        Ok(all)
    }

    /// Lets a route choose for requests that ask for nothing; its vectors are among those given.
    ///
    /// # Errors
    /// [`DialError`] for a candidate whose vector is not there.
    pub fn routed(mut self, route: &Route) -> Result<Self, DialError> {
        let mut choices = Vec::with_capacity(route.candidates.len());
        for candidate in &route.candidates {
            let (vector, coefficient) = (Some(candidate.vector.clone()), Some(candidate.coefficient));
            let asked = SteeringRequest { vector, coefficient, ..SteeringRequest::default() };
            choices.extend(self.steering(&asked)?);
        }
        self.routing = Some(Arc::new(Routing::new(route, choices)));
        Ok(self)
    }

    /// What chooses for requests that ask for nothing.
    pub fn routing(&self) -> Option<&Routing> {
        self.routing.as_deref()
    }

    /// The vectors, in the order given.
    pub fn all(&self) -> &[Dial] {
        &self.dials
    }

    /// The vector of this name, or the first.
    ///
    /// # Errors
    /// [`DialError::UnknownVector`], [`DialError::NoVector`].
    pub fn dial(&self, name: Option<&str>) -> Result<&Dial, DialError> {
        let Some(name) = name else { return self.dials.first().ok_or(DialError::NoVector) };
        let known = || self.dials.iter().map(|dial| dial.name.clone()).collect();
        let found = self.dials.iter().find(|dial| dial.name == name);
        found.ok_or_else(|| DialError::UnknownVector { name: name.into(), known: known() })
    }

    /// What a request asks for; `None` when it asks for nothing and the server has no vector.
    ///
    /// # Errors
    /// [`DialError`], naming what is wrong.
    pub fn steering(&self, asked: &SteeringRequest) -> Result<Option<Steering>, DialError> {
        let unknown = |name: &String| DialError::UnknownOperator { name: name.clone() };
        let operator = match &asked.operator {
            None => Operator::Add,
            Some(name) => name.parse().map_err(|_| unknown(name))?,
        };
        let is_plain = asked.vector.is_none() && asked.layers.is_none() && asked.coefficient.unwrap_or(0.0) == 0.0;
        if self.dials.is_empty() && is_plain {
            return Ok(None);
        }
        if let Some(routing) = self.routing.as_ref().filter(|_| *asked == SteeringRequest::default())
            && let Some(first) = routing.first()
        {
            return Ok(Some(Steering { route: Some(routing.clone()), ..first.clone() }));
        }
        let dial = self.dial(asked.vector.as_deref())?;
        let coefficient = asked.coefficient.unwrap_or(dial.coefficient);
        if coefficient.is_nan() || coefficient.abs() > LARGEST_COEFFICIENT {
            return Err(DialError::Coefficient { coefficient });
        }
        let layers = asked.layers.as_ref().map(LayersRequest::spec).transpose()?;
        let vector = self.ready(dial, layers.as_ref().unwrap_or(&dial.layers))?;
        if vector.vector.has_networks() && operator != Operator::Add {
            return Err(DialError::OnlyAdded { name: dial.name.clone(), operator });
        }
        let measured = dial.measured.filter(|_| layers.is_none() && operator == Operator::Add);
        let is_as_tuned = asked.coefficient.is_none() && layers.is_none() && operator == Operator::Add;
        let policy = dial.policy.clone().filter(|_| is_as_tuned);
        let (name, copy_bias) = (dial.name.clone(), dial.copy_bias);
        Ok(Some(Steering { name, vector, coefficient, operator, copy_bias, policy, route: None, measured }))
    }

    fn ready(&self, dial: &Dial, layers: &LayerSpec) -> Result<Arc<ReadyVector>, DialError> {
        let key = format!("{} {layers}", dial.name);
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = ready.get(&key) {
            return Ok(found.clone());
        }
        let vector = Arc::new(ReadyVector { vector: self.make(dial, layers)?, range: dial.range });
        if ready.len() < KEPT_CHOICES {
            ready.insert(key, vector.clone());
        }
        Ok(vector)
    }

    fn make(&self, dial: &Dial, layers: &LayerSpec) -> Result<ControlVector, DialError> {
        let wrong = |error: redline_steer::Error| DialError::Layers { rule: error.to_string() };
        let vector = match (&dial.vector, layers) {
            (DialVector::Reading(reading, unit), layers) => {
                let layers = layers.of_reading(reading, self.config.n_layers).map_err(wrong)?;
                reading_control_vector(reading, &layers, *unit)
            }
            (DialVector::Control(vector), LayerSpec::Auto | LayerSpec::All) => Ok(vector.clone()),
            (DialVector::Control(vector), layers) => {
                vector.restrict(layers.resolve(self.config.n_layers).map_err(wrong)?)
            }
        };
        let vector = vector.map_err(wrong)?;
        vector.check(&self.config).map_err(wrong)?;
        Ok(vector)
    }
}

impl LayersRequest {
    fn spec(&self) -> Result<LayerSpec, DialError> {
        match self {
            Self::Text(text) => text.parse().map_err(|rule| DialError::Layers { rule }),
            Self::List(layers) if layers.is_empty() => Err(DialError::Layers { rule: "the list is empty".into() }),
            Self::List(layers) => {
                let mut layers = layers.clone();
                layers.sort_unstable();
                layers.dedup();
                Ok(LayerSpec::List(layers))
            }
        }
    }
}
