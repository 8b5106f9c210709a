//! Who scored against whom: whether strengths of models have finite estimates at all.
//!
//! They have exactly when every model can be reached from every other by steps "scored against" (Ford 1957; a tie is a score for
//! both). Otherwise some models never lose a point to the rest, and their strength is without bound.

use super::{Battle, WinRateError};

/// Refuses battles whose strengths have no finite estimate.
pub(super) fn check_finite_strengths(models: &[String], battles: &[Battle]) -> Result<(), WinRateError> {
    let mut scored = vec![Vec::new(); models.len()];
    let mut conceded = vec![Vec::new(); models.len()];
    let mut met = vec![Vec::new(); models.len()];
    for battle in battles {
        met[battle.first].push(battle.second);
        met[battle.second].push(battle.first);
        for (winner, loser, score) in
            [(battle.first, battle.second, battle.score), (battle.second, battle.first, 1.0 - battle.score)]
        {
            if score > 0.0 {
                scored[winner].push(loser);
                conceded[loser].push(winner);
            }
        }
    }
    if let Some(model) = met.iter().position(Vec::is_empty) {
        return Err(WinRateError::NoBattlesOf { model: models[model].clone() });
    }
    let names = |reached: &[bool], wanted: bool| -> Vec<String> {
        models.iter().zip(reached).filter(|(_, reached)| **reached == wanted).map(|(model, _)| model.clone()).collect()
    };
    let connected = reached(&met);
    if connected.contains(&false) {
        return Err(WinRateError::Disconnected { together: names(&connected, true), apart: names(&connected, false) });
    }
    // Whoever the first model cannot reach never conceded a point to those it can; whoever cannot reach it, never scored one.
    let (below, above) = (reached(&scored), reached(&conceded));
    if below.contains(&false) {
        return Err(WinRateError::Separable { unbeaten: names(&below, false), others: names(&below, true) });
    }
    if above.contains(&false) {
        return Err(WinRateError::Separable { unbeaten: names(&above, true), others: names(&above, false) });
    }
    Ok(())
}

/// Which nodes can be reached from the first.
fn reached(edges: &[Vec<usize>]) -> Vec<bool> {
    let mut seen = vec![false; edges.len()];
    let mut open: Vec<usize> = seen.first_mut().map(|first| *first = true).map_or(Vec::new(), |()| vec![0]);
    while let Some(node) = open.pop() {
        for &next in &edges[node] {
            if !std::mem::replace(&mut seen[next], true) {
                open.push(next);
            }
        }
    }
    seen
}
