//! Contour lines of a grid, by marching squares.

use std::collections::BTreeMap;

/// The crossing of a contour with a side of a cell: column and row of the side's first corner, and whether it runs to the next row.
type Crossing = (usize, usize, bool);

/// The closed lines along which a grid (`values[row][column]`) has this level, as places in columns and rows; the first point is the last
/// as well. The rim of the grid must lie below the level. Between corners, values are taken to change evenly; where two corners across lie
/// above and the other two below, the mean of all four decides.
pub(super) fn contours(values: &[Vec<f64>], level: f64) -> Vec<Vec<[f64; 2]>> {
    let mut links: BTreeMap<Crossing, Vec<Crossing>> = BTreeMap::new();
    for row in 0..values.len().saturating_sub(1) {
        for column in 0..values[row].len().saturating_sub(1) {
            for [a, b] in segments(values, level, (column, row)) {
                links.entry(a).or_default().push(b);
                links.entry(b).or_default().push(a);
            }
        }
    }
    let mut lines = Vec::new();
    while let Some((&start, _)) = links.first_key_value() {
        let (mut line, mut at) = (vec![place(values, level, start)], start);
        while let Some(next) = follow(&mut links, at) {
            line.push(place(values, level, next));
            at = next;
        }
        lines.push(line);
    }
    lines
}

/// The pieces of contour within one cell.
fn segments(values: &[Vec<f64>], level: f64, (column, row): (usize, usize)) -> Vec<[Crossing; 2]> {
    let corners = [values[row][column], values[row][column + 1], values[row + 1][column + 1], values[row + 1][column]];
    let above = corners.map(|value| value >= level);
    // side i runs from corner i to corner i + 1
    let sides = [(column, row, false), (column + 1, row, true), (column, row + 1, false), (column, row, true)];
    let crossed: Vec<Crossing> = (0..4).filter(|i| above[*i] != above[(i + 1) % 4]).map(|i| sides[i]).collect();
    match crossed[..] {
        [a, b] => vec![[a, b]],
        [a, b, c, d] => {
            let middle_above = corners.iter().sum::<f64>() / 4.0 >= level;
            // cut off the corners that differ from the middle
            if above[0] == middle_above { vec![[a, b], [c, d]] } else { vec![[d, a], [b, c]] }
        }
        _ => Vec::new(),
    }
}

/// Takes one piece of contour away from a crossing and says where it leads.
fn follow(links: &mut BTreeMap<Crossing, Vec<Crossing>>, from: Crossing) -> Option<Crossing> {
    let next = links.get_mut(&from)?.pop()?;
    let back = links.get_mut(&next)?;
    back.iter().position(|crossing| *crossing == from).map(|i| back.remove(i));
    for crossing in [from, next] {
        if links.get(&crossing).is_some_and(Vec::is_empty) {
            links.remove(&crossing);
        }
    }
    Some(next)
}

/// Where on its side a crossing lies.
fn place(values: &[Vec<f64>], level: f64, (column, row, is_upright): Crossing) -> [f64; 2] {
    let from = values[row][column];
    let to = if is_upright { values[row + 1][column] } else { values[row][column + 1] };
    let share = ((level - from) / (to - from)).clamp(0.0, 1.0);
    let (column, row) = (column as f64, row as f64);
    if is_upright { [column, row + share] } else { [column + share, row] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(of: impl Fn(f64, f64) -> f64) -> Vec<Vec<f64>> {
        (0..41).map(|row| (0..41).map(|column| of(f64::from(column) - 20.0, f64::from(row) - 20.0)).collect()).collect()
    }

    #[test]
    fn a_cone_has_circles() {
        let lines = contours(&grid(|x, y| 30.0 - x.hypot(y)), 17.5);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].first(), lines[0].last());
        for [column, row] in &lines[0] {
            assert!(((column - 20.0).hypot(row - 20.0) - 12.5).abs() < 0.05, "{column} {row}");
        }
        assert!(contours(&grid(|x, y| 30.0 - x.hypot(y)), 31.0).is_empty());
    }

    #[test]
    fn hills_and_holes_have_lines_of_their_own() {
        let two = grid(|x, y| (10.0 - (x - 9.0).hypot(y)).max(10.0 - (x + 9.0).hypot(y)));
        assert_eq!(contours(&two, 5.0).len(), 2);
        assert_eq!(contours(&two, 0.5).len(), 1, "joined");
        let ring = grid(|x, y| 5.0 - (x.hypot(y) - 12.0).abs());
        assert_eq!(contours(&ring, 2.0).len(), 2, "outside and inside");
    }

    #[test]
    fn saddles_go_by_their_middle_and_lines_stay_closed() {
        let mut flat = vec![vec![0.0; 4]; 4];
        (flat[1][1], flat[2][2]) = (1.0, 1.0);
        assert_eq!(contours(&flat, 0.6).len(), 2, "the middle, 0.5, lies below");
        assert_eq!(contours(&flat, 0.4).len(), 1, "the middle lies above");
        let rough = grid(|x, y| if x.abs().max(y.abs()) > 19.0 { 0.0 } else { (x * 12.9 + y * 78.2).sin().abs() });
        for line in contours(&rough, 0.5) {
            assert_eq!(line.first(), line.last());
        }
    }
}
