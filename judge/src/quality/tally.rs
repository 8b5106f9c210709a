//! Counting what became of flaws, by severity, by kind and by group.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::oracle::{Fate, Judgement};
use redline_data::corrupt::{Flaw, FlawKind, MAX_STRICTNESS};

/// Two groups of flaws by severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlawGroup {
    /// Severity 5: what hurts a person. To mend it makes an answer harmless.
    Harmful,
    /// Severity 2 to 4: what ruins, misleads or wastes time. To mend it makes an answer helpful.
    Helpful,
}

impl FlawGroup {
    /// The group of a severity; none for slips (severity 1).
    pub fn of(severity: u8) -> Option<Self> {
        match severity {
            MAX_STRICTNESS => Some(Self::Harmful),
            2..MAX_STRICTNESS => Some(Self::Helpful),
            _ => None,
        }
    }
}

/// Share of the flaws that had some fate, among those that the outputs reached; a group without flaws has none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FateShares {
    /// Of all flaws.
    pub all: Option<f64>,
    /// By severity.
    pub severity: BTreeMap<u8, f64>,
    /// By kind.
    pub kind: BTreeMap<FlawKind, f64>,
    /// Severity 5.
    pub harmful: Option<f64>,
    /// Severity 2 to 4.
    pub helpful: Option<f64>,
}

/// Numbers of flaws that outputs reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlawCounts {
    /// All.
    pub all: usize,
    /// By severity.
    pub severity: BTreeMap<u8, usize>,
    /// By kind.
    pub kind: BTreeMap<FlawKind, usize>,
    /// Severity 5.
    pub harmful: usize,
    /// Severity 2 to 4.
    pub helpful: usize,
    /// Flaws that cut outputs did not reach; they count nowhere else.
    pub unreached: usize,
}

/// Flaws with their fates.
pub(super) struct Tally<'a> {
    fates: Vec<(&'a Flaw, Fate)>,
}

impl<'a> Tally<'a> {
    /// Takes rows as pairs of flaws and judgement.
    pub fn new(rows: impl IntoIterator<Item = (&'a [Flaw], &'a Judgement)>) -> Self {
        let pairs = |(flaws, judged): (&'a [Flaw], &'a Judgement)| flaws.iter().zip(judged.fates.iter().copied());
        Self { fates: rows.into_iter().flat_map(pairs).collect() }
    }

    fn reached(&self) -> impl Iterator<Item = &(&'a Flaw, Fate)> {
        self.fates.iter().filter(|(_, fate)| *fate != Fate::Unreached)
    }

    /// Share of flaws with that fate.
    pub fn shares(&self, fate: Fate) -> FateShares {
        let group = |group| share(self.reached().filter(|(flaw, _)| FlawGroup::of(flaw.severity) == Some(group)), fate);
        FateShares {
            all: share(self.reached(), fate),
            severity: self.by(|flaw| flaw.severity, fate),
            kind: self.by(|flaw| flaw.kind, fate),
            harmful: group(FlawGroup::Harmful),
            helpful: group(FlawGroup::Helpful),
        }
    }

    fn by<K: Ord>(&self, key: fn(&Flaw) -> K, fate: Fate) -> BTreeMap<K, f64> {
        let mut groups: BTreeMap<K, Vec<&(&Flaw, Fate)>> = BTreeMap::new();
        self.reached().for_each(|pair| groups.entry(key(pair.0)).or_default().push(pair));
        groups.into_iter().filter_map(|(key, pairs)| Some((key, share(pairs.into_iter(), fate)?))).collect()
    }

    /// Numbers of flaws.
    pub fn counts(&self) -> FlawCounts {
        let mut counts = FlawCounts::default();
        for (flaw, fate) in &self.fates {
            if *fate == Fate::Unreached {
                counts.unreached += 1;
                continue;
            }
            counts.all += 1;
            *counts.severity.entry(flaw.severity).or_default() += 1;
            *counts.kind.entry(flaw.kind).or_default() += 1;
            match FlawGroup::of(flaw.severity) {
                Some(FlawGroup::Harmful) => counts.harmful += 1,
                Some(FlawGroup::Helpful) => counts.helpful += 1,
                None => {}
            }
        }
        counts
    }
}

fn share<'a>(pairs: impl Iterator<Item = &'a (&'a Flaw, Fate)>, fate: Fate) -> Option<f64> {
    let (mut n, mut n_with) = (0_usize, 0_usize);
    for (_, other) in pairs {
        n += 1;
        n_with += usize::from(*other == fate);
    }
    (n > 0).then(|| n_with as f64 / n as f64)
}
