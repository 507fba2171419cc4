//! Random variants of pictures.
#![cfg(feature = "std")]

use gradling::data::{FillMode, ImageDataGenerator};
use gradling::{Result, Tensor};

/// Pictures whose values tell their place: picture, line, column.
fn pictures(n: usize, h: usize, w: usize, c: usize) -> Tensor {
    let value = |i: usize| ((i / (h * w * c)) * 40 + (i / (w * c) % h) * 8 + i / c % w) as u8;
    Tensor::new(&[n, h, w, c], (0..n * h * w * c).map(value).collect::<Vec<u8>>()).unwrap()
}

fn everything() -> ImageDataGenerator {
    ImageDataGenerator {
        rotation_range: 30.0,
        width_shift_range: 0.2,
        height_shift_range: 0.2,
        shear_range: 10.0,
        zoom_range: [0.7, 1.3],
        horizontal_flip: true,
        vertical_flip: true,
        brightness_range: [0.5, 1.5],
        channel_shift_range: 20.0,
        seed: 3,
        ..Default::default()
    }
}

/// The batches of one pass.
fn pass(data: &gradling::data::Dataset) -> Vec<Vec<Tensor>> {
    data.iter().collect::<Result<_>>().unwrap()
}

#[test]
fn nothing_asked_for_changes_nothing() {
    let x = pictures(5, 6, 7, 3);
    let none = ImageDataGenerator::default();
    for number in 0..3 {
        assert_eq!(none.transform(&x, number).unwrap(), x.to_f32());
    }
    let y = Tensor::new(&[5], [0, 1, 2, 3, 4]).unwrap();
    let ordered = ImageDataGenerator { shuffle: false, ..none.clone() };
    let batches = pass(&ordered.flow(&x, &y, 2));
    let sizes: Vec<usize> = batches.iter().map(|b| b[1].numel()).collect();
    assert_eq!(sizes, [2, 2, 1]);
    assert_eq!(batches[1][0], x.rows(2..4).unwrap().to_f32());
    assert_eq!(ordered.flow(&x, &y, 2).cardinality(), Some(3));
    // Pictures and targets stay together when they are shuffled, and none is lost.
    let mut seen = Vec::new();
    for batch in pass(&none.flow(&x, &y, 2)) {
        for (at, &label) in batch[1].as_i32().unwrap().iter().enumerate() {
            let row = label as usize;
            assert_eq!(batch[0].rows(at..at + 1).unwrap(), x.rows(row..row + 1).unwrap().to_f32());
            seen.push(label);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

#[test]
fn seeds_repeat_and_passes_differ() {
    let (x, y) = (pictures(4, 8, 8, 1), Tensor::new(&[4], [0, 1, 2, 3]).unwrap());
    let data = everything().flow(&x, &y, 3);
    let (first, second) = (pass(&data), pass(&data));
    assert_ne!(first, second);
    let again = everything().flow(&x, &y, 3);
    assert_eq!([first.clone(), second], [pass(&again), pass(&again)]);
    let other = ImageDataGenerator { seed: 4, ..everything() };
    assert_ne!(first, pass(&other.flow(&x, &y, 3)));
    // The variant of a picture does not depend on the batch it comes in.
    let one = ImageDataGenerator { shuffle: false, ..everything() };
    let whole = pass(&one.flow(&x, &y, 4));
    let single = pass(&one.flow(&x, &y, 1));
    for (i, batch) in single.iter().enumerate() {
        assert_eq!(batch[0], whole[0][0].rows(i..i + 1).unwrap());
    }
    assert_eq!(everything().transform(&x, 0).unwrap(), whole[0][0]);
}

#[test]
fn each_range_does_its_own() {
    let x = Tensor::new(&[1, 3, 4, 1], (0..12u8).collect::<Vec<_>>()).unwrap();
    let variants = |how: ImageDataGenerator| -> Vec<Vec<f32>> {
        (0..40).map(|n| how.transform(&x, n).unwrap().to_f32_vec()).collect()
    };
    let plain: Vec<f32> = (0..12).map(|v| v as f32).collect();
    let flipped = vec![3.0, 2.0, 1.0, 0.0, 7.0, 6.0, 5.0, 4.0, 11.0, 10.0, 9.0, 8.0];
    let only = |all: &[Vec<f32>], two: [&Vec<f32>; 2]| {
        assert!(all.iter().all(|v| two.contains(&v)), "{all:?}");
        assert!(two.iter().all(|v| all.contains(v)));
    };
    only(&variants(ImageDataGenerator { horizontal_flip: true, ..Default::default() }), [&plain, &flipped]);
    let upside: Vec<f32> = [8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3].iter().map(|&v| v as f32).collect();
    only(&variants(ImageDataGenerator { vertical_flip: true, ..Default::default() }), [&plain, &upside]);

    // Sideways by up to one pixel: every line runs on evenly, and at the border the nearest pixel is repeated.
    for v in variants(ImageDataGenerator { width_shift_range: 1.0, ..Default::default() }) {
        let by = v[1] - 1.0;
        assert!(by.abs() <= 1.0);
        for (i, &value) in v.iter().enumerate() {
            let (line, column) = ((i / 4) as f32, (i % 4) as f32);
            let expected = 4.0 * line + (column + by).clamp(0.0, 3.0);
            assert!((value - expected).abs() < 1e-4, "{v:?}");
        }
    }
    for v in variants(ImageDataGenerator { brightness_range: [0.5, 30.0], ..Default::default() }) {
        assert!((v[2] - 2.0 * v[1]).abs() < 1e-3 && v[1] >= 0.5 && v.iter().all(|&v| v <= 255.0));
    }
    for v in variants(ImageDataGenerator { channel_shift_range: 5.0, ..Default::default() }) {
        assert!(v.iter().all(|v| (0.0..=11.0).contains(v)));
    }
    let rescaled =
        ImageDataGenerator { rescale: 1.0 / 255.0, ..Default::default() }.transform(&x, 0).unwrap();
    assert_eq!(rescaled.as_f32().unwrap()[11], 11.0 * (1.0 / 255.0));
    // A half turn about the centre is both flips.
    let turned = variants(ImageDataGenerator { rotation_range: 180.0, ..Default::default() });
    assert!(turned.iter().all(|v| v.iter().all(|p| (-1e-3..=11.001).contains(p))));
    let zoomed = variants(ImageDataGenerator { zoom_range: [2.0, 2.0], ..Default::default() });
    assert!((zoomed[0][5] - 4.5).abs() < 1e-4, "{:?}", zoomed[0]);
}

#[test]
fn fill_modes_go_on_as_their_names_say() {
    // Zooming out by five shows what lies around a line of four.
    let x = Tensor::new(&[1, 1, 4, 1], vec![1.0f32, 2.0, 3.0, 4.0]).unwrap();
    let around = |fill_mode| {
        let how = ImageDataGenerator { zoom_range: [5.0, 5.0], fill_mode, ..Default::default() };
        how.transform(&x, 0).unwrap().to_f32_vec()
    };
    // Pixels lie at -6, -1, 4 and 9.
    assert_eq!(around(FillMode::Nearest), [1.0, 1.0, 4.0, 4.0]);
    assert_eq!(around(FillMode::Constant(9.0)), [9.0; 4]);
    assert_eq!(around(FillMode::Reflect), [3.0, 1.0, 4.0, 2.0]);
    assert_eq!(around(FillMode::Wrap), [3.0, 4.0, 1.0, 2.0]);
}

#[test]
fn mistakes_are_named() {
    let refused = |how: ImageDataGenerator| how.transform(&pictures(1, 2, 2, 1), 0).unwrap_err().to_string();
    let with = |rotation_range| ImageDataGenerator { rotation_range, ..Default::default() };
    assert!(refused(with(-1.0)).contains("rotation_range of at least 0, got -1"));
    assert!(refused(with(f32::NAN)).contains("rotation_range"));
    let zoom = ImageDataGenerator { zoom_range: [2.0, 1.0], ..Default::default() };
    assert!(refused(zoom).contains("zoom_range of two factors"));
    let none = ImageDataGenerator::default();
    let flat = Tensor::zeros(&[4, 784]).unwrap();
    assert!(none.transform(&flat, 0).unwrap_err().to_string().contains("[samples, height, width, channels]"));
    let x = pictures(3, 2, 2, 1);
    let error = |y: Tensor, size| none.flow(&x, &y, size).iter().next().unwrap().unwrap_err().to_string();
    assert!(error(Tensor::zeros(&[2]).unwrap(), 1).contains("a target for each of 3 pictures"));
    assert!(error(Tensor::zeros(&[3]).unwrap(), 0).contains("batches of at least 1"));
}
