//! A vector and coefficient for each request, chosen by its prompt.

use redline_lab::experiment::LayerSpec;
use redline_lab::route::{CheckedRoute, Route, SITE};
use redline_model::Site;
use redline_probe::router::Router;

use super::dial::{Dial, DialVector, Steering};

/// Chooses by the prompt between the candidates of a route.
#[derive(Debug)]
pub struct Routing {
    router: Router,
    layer: usize,
    choices: Vec<Steering>,
}

impl Routing {
    /// Puts a router to what its candidates steer with.
    pub(super) fn new(route: &Route, choices: Vec<Steering>) -> Self {
        Self { router: route.router.clone(), layer: route.layer, choices }
    }

    /// What stands for the request until its prompt was read.
    pub(super) fn first(&self) -> Option<&Steering> {
        self.choices.first()
    }

    /// Where the prompt's mean activation is read.
    pub fn place(&self) -> (Site, usize) {
        (SITE, self.layer)
    }

    /// What a request with this mean activation is steered with.
    ///
    /// # Errors
    /// Another size than the model's, or a number that is not finite.
    pub fn choose(&self, mean: &[f32]) -> redline_probe::Result<Steering> {
        Ok(self.choices[self.router.choose(mean)?].clone())
    }

    /// Vector and coefficient of each candidate.
    pub fn candidates(&self) -> impl Iterator<Item = (&str, f32)> {
        self.choices.iter().map(|choice| (choice.name.as_str(), choice.coefficient))
    }
}

/// The vectors of a route's candidates, each under its name.
pub fn route_dials(checked: &CheckedRoute) -> Vec<Dial> {
    let mut dials: Vec<Dial> = Vec::new();
    for (candidate, (vector, range)) in checked.route.candidates.iter().zip(&checked.vectors) {
        if dials.iter().all(|dial| dial.name != candidate.vector) {
            dials.push(Dial {
                name: candidate.vector.clone(),
                vector: DialVector::Control(vector.clone()),
                layers: LayerSpec::All,
                range: *range,
                copy_bias: candidate.copy_bias,
                coefficient: 0.0,
                policy: None,
                measured: None,
            });
        }
    }
    dials
}
