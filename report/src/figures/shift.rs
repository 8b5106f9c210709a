//! What a system does to two scores, as a plot.

use redline_lab::contest::ScoreShift;

use crate::plot::{Estimate, ScoreShiftPlot, ShiftAxis, ShiftPanel};

/// Scores before and after, a panel a system or a checkpoint, in the order given.
pub fn score_shift_plot(shifts: &[ScoreShift], title: &str) -> ScoreShiftPlot {
    ScoreShiftPlot { title: title.into(), panels: shifts.iter().map(panel).collect() }
}

fn panel(shift: &ScoreShift) -> ShiftPanel {
    let axis = |i: usize| {
        let worth = &shift.accuracies[i];
        let accuracy = Estimate { value: worth.value, interval: Some(worth.interval) };
        ShiftAxis { name: shift.names[i].clone(), accuracy, n_held_out: worth.n }
    };
    let (before, after) = (shift.quadrants_before, shift.quadrants_after);
    ShiftPanel {
        name: shift.system.clone(),
        axes: [axis(0), axis(1)],
        before: shift.before.clone(),
        after: shift.after.clone(),
        mean_shift: shift.mean_shift,
        half_axes: shift.ellipse().half_axes(),
        quadrants: [
            [before.both_above, after.both_above],
            [before.second_above, after.second_above],
            [before.first_above, after.first_above],
            [before.both_below, after.both_below],
        ],
        worse: shift.worse,
        worse_in_either: shift.worse_in_either,
        unmoved: shift.unmoved,
    }
}

#[cfg(test)]
mod tests {
    use redline_lab::contest::HeldOutAccuracy;

    use super::*;
    use crate::plot::{Plot, svg_string};

    #[test]
    fn the_plot_says_what_was_found() {
        let before: Vec<[f64; 2]> = (0..8).map(|row| [f64::from(row), f64::from(row % 3)]).collect();
        let after: Vec<[f64; 2]> = before.iter().map(|[x, y]| [x + 2.0, y - f64::from(*x > 3.0)]).collect();
        let names = ["helpful (reward)".to_owned(), "harmless (−cost)".to_owned()];
        let known = [(71, 100), (130, 200)].map(|(n_right, n)| HeldOutAccuracy::of(n_right, n).unwrap());
        let shift = ScoreShift::of("aligner@1", names, &before, &after, known, 0).unwrap();
        let plot = score_shift_plot(&[shift.clone(), shift.clone()], "Scores");
        plot.check().unwrap();
        let [panel, _] = &plot.panels[..] else { panic!("two panels") };
        assert_eq!((&panel.name[..], panel.worse, panel.mean_shift), ("aligner@1", [0.0, 0.5], shift.mean_shift));
        assert_eq!((panel.axes[0].n_held_out, panel.axes[1].accuracy.value), (100, 0.65));
        // the quadrants of the points, by place
        let share = |points: &[[f64; 2]], sides: [bool; 2]| {
            points.iter().filter(|point| point.map(|value| value >= 0.0) == sides).count() as f64 / 8.0
        };
        let places = [[true, true], [false, true], [true, false], [false, false]];
        assert_eq!(panel.quadrants, places.map(|at| [share(&panel.before, at), share(&panel.after, at)]));
        let [long, short] = panel.half_axes.map(|[x, y]| x.hypot(y));
        assert!(long >= short && long > 0.0);
        assert!(svg_string(&plot).unwrap().contains("made worse: x 0.0 %, y 50.0 %, either 50.0 %"));
    }
}
