//! Where a function sampled on a grid passes a level: marching squares (Lorensen and Cline 1987, in two dimensions).

use std::collections::BTreeMap;
use std::vec::Vec;

/// Lines along which `values`, `columns` to a row, pass `level`. Points are (column, row), between the samples by
/// linear interpolation; a closed line ends where it begins. Cells with a value that is not finite have no line.
pub(super) fn contour(values: &[f32], columns: usize, level: f32) -> Vec<Vec<(f64, f64)>> {
    if columns < 2 {
        return Vec::new();
    }
    let rows = values.len() / columns;
    let at = |x: usize, y: usize| values[y * columns + x];
    // Edges of cells: even ones go right from a sample, odd ones go down.
    let right = |x: usize, y: usize| 2 * (y * columns + x);
    let down = |x: usize, y: usize| 2 * (y * columns + x) + 1;
    let mut next: BTreeMap<usize, [Option<usize>; 2]> = BTreeMap::new();
    let mut join = |a: usize, b: usize| {
        for (from, to) in [(a, b), (b, a)] {
            let ends = next.entry(from).or_default();
            ends[usize::from(ends[0].is_some())] = Some(to);
        }
    };
    for y in 0..rows.saturating_sub(1) {
        for x in 0..columns - 1 {
            let corners = [at(x, y), at(x + 1, y), at(x + 1, y + 1), at(x, y + 1)];
            if corners.iter().any(|v| !v.is_finite()) {
                continue;
            }
            let above = corners.map(|v| v >= level);
            let edges = [right(x, y), down(x + 1, y), right(x, y + 1), down(x, y)];
            let crossed: Vec<usize> = (0..4).filter(|&i| above[i] != above[(i + 1) % 4]).collect();
            match crossed[..] {
                [a, b] => join(edges[a], edges[b]),
                [_, _, _, _] => {
                    // A saddle: its middle tells which corners are joined.
                    let middle = corners.iter().sum::<f32>() / 4.0 >= level;
                    let shift = usize::from(middle == above[0]);
                    join(edges[shift], edges[(shift + 3) % 4]);
                    join(edges[shift + 1], edges[shift + 2]);
                }
                _ => {}
            }
        }
    }
    let point = |edge: usize| {
        let (x, y) = (edge / 2 % columns, edge / 2 / columns);
        let (x1, y1) = if edge.is_multiple_of(2) { (x + 1, y) } else { (x, y + 1) };
        let (a, b) = (f64::from(at(x, y)), f64::from(at(x1, y1)));
        let share = (f64::from(level) - a) / (b - a);
        (x as f64 + share * (x1 - x) as f64, y as f64 + share * (y1 - y) as f64)
    };
    let mut lines = Vec::new();
    // Open lines first, from their ends; what is left is closed.
    let ends: Vec<usize> = next.iter().filter(|(_, ends)| ends[1].is_none()).map(|(&edge, _)| edge).collect();
    let all: Vec<usize> = next.keys().copied().collect();
    for start in ends.into_iter().chain(all) {
        let mut line = Vec::new();
        let mut here = Some(start);
        while let Some(edge) = here {
            let Some(ends) = next.remove(&edge) else {
                // Back at the start of a closed line.
                line.push(point(edge));
                break;
            };
            line.push(point(edge));
            here = ends.into_iter().flatten().find(|to| next.contains_key(to));
            if here.is_none() && line.len() > 2 && ends.contains(&Some(start)) {
                here = Some(start);
            }
        }
        if line.len() > 1 {
            lines.push(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_one_closed_line() {
        let side = 41;
        let away = |i: usize| ((i % side) as f32 - 20.0).hypot((i / side) as f32 - 20.0);
        let values: Vec<f32> = (0..side * side).map(away).collect();
        let lines = contour(&values, side, 12.0);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].first(), lines[0].last());
        assert!(lines[0].iter().all(|(x, y)| ((x - 20.0).hypot(y - 20.0) - 12.0).abs() < 0.02));
        assert!(contour(&values, side, 100.0).is_empty());
    }

    #[test]
    fn a_plane_is_one_straight_line() {
        let values: Vec<f32> = (0..12).map(|i| (i % 4) as f32).collect();
        let lines = contour(&values, 4, 1.25);
        assert_eq!(lines, [[(1.25, 0.0), (1.25, 1.0), (1.25, 2.0)]]);
        assert_eq!(contour(&[0.0, f32::NAN, 1.0, 1.0], 2, 0.5).len(), 0);
        assert!(contour(&[], 0, 0.5).is_empty());
    }

    #[test]
    fn saddles_are_two_lines() {
        for middle in [[1.0, 0.0, 0.0, 0.9], [1.0, 0.0, 0.0, 2.0], [0.0, 1.0, 0.9, 0.0], [0.0, 1.0, 2.0, 0.0]]
        {
            let lines = contour(&middle, 2, 0.5);
            assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
        }
    }
}
