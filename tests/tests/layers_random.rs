//! Layers that draw random numbers while training: no exact values are promised, but their statistics are, and that a
//! key fixes them.

use gradling::nn::{
    AlphaDropout, Call, Dropout, FillMode, FlipMode, GaussianDropout, GaussianNoise, Layer, RandomBrightness,
    RandomContrast, RandomCrop, RandomFlip, RandomRotation, RandomTranslation, RandomZoom, SpatialDropout1D,
    SpatialDropout2D, Weights,
};
use gradling::rng::Rng;
use gradling::{Device, Plan, PlanOptions, Result, Session, Shape, Tensor, Trace, Variables};

/// What a layer makes of a batch.
fn run(mut layer: Box<dyn Layer>, x: &Tensor, training: bool, key: [i32; 2]) -> Result<Vec<f32>> {
    let mut variables = Variables::new();
    let sample = Shape::new(&x.shape().to_vec()[1..])?;
    layer.set_name("layer");
    layer.build(&sample, &mut Weights::new(&mut variables, &mut Rng::new(0), "layer"))?;
    let trace = Trace::new(&variables);
    {
        let input = trace.input("x", *x.shape(), x.dtype());
        let key = trace.constant(Tensor::new(&[2], key)?);
        let mut call = Call::new(&trace, training, Some(key));
        trace.output("y", layer.call(&mut call, input)?);
    }
    let mut session =
        Session::new(Plan::compile(&trace.finish()?, &PlanOptions::default())?, &Device::default())?;
    session.set_input(0, x)?;
    session.run(&mut variables)?;
    Ok(session.output::<f32>(0, &variables)?.to_vec())
}

fn trained(layer: impl Layer + 'static, x: &Tensor) -> Result<Vec<f32>> {
    run(Box::new(layer), x, true, [1, 1])
}

fn ones(dims: &[usize]) -> Result<Tensor> {
    Tensor::new(dims, vec![1.0; dims.iter().product()])
}

/// A batch of the same ramp, different in every cell.
fn ramps(n: usize, h: usize, w: usize) -> Result<Tensor> {
    Tensor::new(&[n, h, w, 1], (0..n * h * w).map(|i| (i % (h * w)) as f32).collect::<Vec<f32>>())
}

/// Mean and standard deviation.
fn moments(values: &[f32]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    (mean, (values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt())
}

#[test]
fn a_key_fixes_what_a_layer_draws() -> Result<()> {
    type Make = fn() -> Box<dyn Layer>;
    let all: [Make; 15] = [
        || Box::new(Dropout::new(0.5)),
        || Box::new(SpatialDropout2D::new(0.5)),
        || Box::new(GaussianNoise::new(0.5)),
        || Box::new(GaussianDropout::new(0.5)),
        || Box::new(AlphaDropout::new(0.5)),
        || Box::new(RandomFlip::new(FlipMode::Horizontal)),
        || Box::new(RandomFlip::new(FlipMode::Vertical)),
        || Box::new(RandomFlip::new(FlipMode::HorizontalAndVertical)),
        || Box::new(RandomRotation::new(0.2)),
        || Box::new(RandomTranslation::new(0.3, 0.3)),
        || Box::new(RandomZoom::new(0.3)),
        || Box::new(RandomContrast::new(0.5, 0.5)),
        || Box::new(RandomBrightness::new(0.3)),
        || Box::new(RandomCrop::new(4, 4)),
        || Box::new(RandomZoom::new(0.3).width_factor(0.1)),
    ];
    let mut rng = Rng::new(2);
    let x = Tensor::new(&[16, 8, 8, 2], (0..16 * 128).map(|_| 255.0 * rng.uniform()).collect::<Vec<f32>>())?;
    for make in all {
        let class = make().class_name();
        let first = run(make(), &x, true, [3, 4])?;
        assert!(first == run(make(), &x, true, [3, 4])?, "{class}: the same key");
        assert!(first != run(make(), &x, true, [3, 5])?, "{class}: the next step");
        assert!(first != run(make(), &x, true, [4, 4])?, "{class}: another seed");
        let idle = run(make(), &x, false, [3, 4])?;
        assert!(idle == run(make(), &x, false, [9, 9])?, "{class} at inference");
        assert!(class == "RandomCrop" || idle == x.to_f32_vec(), "{class} changes nothing at inference");
    }
    Ok(())
}

#[test]
fn noise_shapes_drop_together() -> Result<()> {
    let y = trained(Dropout::new(0.5).noise_shape(&[None, Some(1)]), &ones(&[4000, 5])?)?;
    let rows: Vec<&[f32]> = y.chunks(5).collect();
    assert!(rows.iter().all(|r| r.iter().all(|v| *v == r[0])));
    let kept = rows.iter().filter(|r| r[0] == 2.0).count() as f64 / rows.len() as f64;
    assert!((kept - 0.5).abs() < 0.04, "{kept}");
    Ok(())
}

#[test]
fn spatial_dropout_drops_whole_channels() -> Result<()> {
    let (n, cells, c, rate) = (400, 12, 10, 0.3);
    let images = trained(SpatialDropout2D::new(rate), &ones(&[n, 3, 4, c])?)?;
    let series = trained(SpatialDropout1D::new(rate), &ones(&[n, cells, c])?)?;
    for y in [images, series] {
        let mut kept = 0;
        for sample in y.chunks(cells * c) {
            for channel in 0..c {
                let all: Vec<f32> = sample.iter().skip(channel).step_by(c).copied().collect();
                assert!(all.iter().all(|v| *v == all[0]), "{all:?}");
                assert!(all[0] == 0.0 || (all[0] - 1.0 / (1.0 - rate)).abs() < 1e-6);
                kept += usize::from(all[0] != 0.0);
            }
        }
        let share = kept as f32 / (n * c) as f32;
        assert!((share - (1.0 - rate)).abs() < 0.04, "{share}");
    }
    Ok(())
}

#[test]
fn noise_has_its_moments() -> Result<()> {
    let x = ones(&[1000, 1000])?;
    let near = |(mean, deviation): (f64, f64), wanted: (f64, f64)| {
        let fits = (mean - wanted.0).abs() < 5e-3 && (deviation - wanted.1).abs() < 5e-3;
        assert!(fits, "{mean} +- {deviation}, wanted {wanted:?}");
    };
    let y = trained(GaussianNoise::new(0.7), &x)?;
    assert!(y.iter().all(|v| v.is_finite()));
    near(moments(&y), (1.0, 0.7));
    let beyond = y.iter().filter(|v| (**v - 1.0).abs() > 1.4).count() as f64 / y.len() as f64;
    assert!((beyond - 0.0455).abs() < 2e-3, "{beyond} beyond two deviations");
    near(moments(&trained(GaussianDropout::new(0.3), &x)?), (1.0, (0.3f64 / 0.7).sqrt()));
    // Alpha dropout leaves the moments of a standard normal as they are.
    let mut rng = Rng::new(5);
    let normal = Tensor::new(&[1000, 1000], (0..1_000_000).map(|_| rng.normal()).collect::<Vec<f32>>())?;
    let y = trained(AlphaDropout::new(0.4), &normal)?;
    near(moments(&y), (0.0, 1.0));
    let mut sorted = y.clone();
    sorted.sort_by(f32::total_cmp);
    let dropped = y.iter().filter(|v| **v == sorted[y.len() / 5]).count() as f64 / y.len() as f64;
    assert!((dropped - 0.4).abs() < 5e-3, "{dropped}");
    Ok(())
}

#[test]
fn flips_mirror_half_of_the_images() -> Result<()> {
    let (n, h, w) = (1000, 2, 3);
    let x = ramps(n, h, w)?;
    let at = |flip_x: bool, flip_y: bool| -> Vec<f32> {
        let cell = |y: usize, x: usize| {
            let (y, x) = (if flip_y { h - 1 - y } else { y }, if flip_x { w - 1 - x } else { x });
            (y * w + x) as f32
        };
        (0..h * w).map(|i| cell(i / w, i % w)).collect()
    };
    let shares = |mode| -> Result<[f64; 4]> {
        let y = trained(RandomFlip::new(mode), &x)?;
        let ways = [at(false, false), at(true, false), at(false, true), at(true, true)];
        let count = |way: &Vec<f32>| y.chunks(h * w).filter(|image| image == way).count() as f64 / n as f64;
        Ok(ways.each_ref().map(count))
    };
    let near = |got: [f64; 4], wanted: [f64; 4]| {
        assert!(got.iter().zip(wanted).all(|(g, w)| (g - w).abs() < 0.06), "{got:?}, wanted {wanted:?}");
    };
    near(shares(FlipMode::Horizontal)?, [0.5, 0.5, 0.0, 0.0]);
    near(shares(FlipMode::Vertical)?, [0.5, 0.0, 0.5, 0.0]);
    near(shares(FlipMode::HorizontalAndVertical)?, [0.25; 4]);
    Ok(())
}

#[test]
fn warps_move_cells_where_they_should() -> Result<()> {
    let x = ramps(1, 3, 3)?;
    let near = |got: Vec<f32>, wanted: &[f32]| {
        let fits = got.len() == wanted.len() && got.iter().zip(wanted).all(|(g, w)| (g - w).abs() < 1e-4);
        assert!(fits, "{got:?}, wanted {wanted:?}");
    };
    // A quarter turn counter-clockwise: the right column becomes the top row.
    let turned = trained(RandomRotation::new([0.25, 0.25]), &x)?;
    near(turned, &[2.0, 5.0, 8.0, 1.0, 4.0, 7.0, 0.0, 3.0, 6.0]);
    let third = 1.0 / 3.0;
    let down = |mode| RandomTranslation::new([third, third], [0.0, 0.0]).fill_mode(mode).fill_value(-1.0);
    near(trained(down(FillMode::Constant), &x)?, &[-1.0, -1.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    near(trained(down(FillMode::Nearest), &x)?, &[0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    near(trained(down(FillMode::Wrap), &x)?, &[6.0, 7.0, 8.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    let right = RandomTranslation::new([0.0, 0.0], [2.0 * third, 2.0 * third]);
    near(trained(right, &x)?, &[1.0, 0.0, 0.0, 4.0, 3.0, 3.0, 7.0, 6.0, 6.0]);
    // Half of the image, about its centre.
    let zoomed = trained(RandomZoom::new([-0.5, -0.5]), &x)?;
    near(zoomed, &[2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0]);
    Ok(())
}

#[test]
fn crops_are_windows_from_everywhere() -> Result<()> {
    let (n, h, w) = (600, 4, 5);
    let y = trained(RandomCrop::new(2, 3), &ramps(n, h, w)?)?;
    let mut places = [0usize; 9];
    for image in y.chunks(6) {
        let first = image[0] as usize;
        let wanted: Vec<f32> = (0..6).map(|i| (first + i / 3 * w + i % 3) as f32).collect();
        assert_eq!(image, wanted);
        places[first / w * 3 + first % w] += 1;
    }
    assert!(places.iter().all(|p| (35..110).contains(p)), "{places:?}");
    Ok(())
}

#[test]
fn colours_change_by_their_factors() -> Result<()> {
    let n = 2000;
    let x = Tensor::new(&[n, 1, 2, 1], [80.0, 120.0].repeat(n))?;
    let y = trained(RandomContrast::new(0.5, 0.2), &x)?;
    let factors: Vec<f32> = y.chunks(2).map(|p| (p[1] - p[0]) / 40.0).collect();
    assert!(y.chunks(2).all(|p| (p[0] + p[1] - 200.0).abs() < 1e-3));
    assert!(factors.iter().all(|f| (0.499..1.201).contains(f)));
    let (mean, deviation) = moments(&factors);
    assert!(
        (mean - 0.85).abs() < 0.02 && (deviation - 0.7 / 12f64.sqrt()).abs() < 0.02,
        "{mean} {deviation}"
    );

    let y = trained(RandomBrightness::new(0.2), &x)?;
    let shifts: Vec<f32> = y.chunks(2).map(|p| p[0] - 80.0).collect();
    assert!(y.chunks(2).all(|p| (p[1] - p[0] - 40.0).abs() < 1e-3));
    let (mean, deviation) = moments(&shifts);
    let wanted = 0.4 * 255.0 / 12f64.sqrt();
    assert!(mean.abs() < 2.0 && (deviation - wanted).abs() < 2.0, "{mean} {deviation}");
    let clipped = trained(RandomBrightness::new([1.0, 1.0]), &x)?;
    assert!(clipped.iter().all(|v| *v == 255.0));
    Ok(())
}
