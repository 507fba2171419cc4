//! Layers in models: each trains, and predicts the same after its model was saved; small facts that no recorded case
//! holds.

use gradling::nn::{
    Activation, ActivationLayer, ActivityRegularization, Add, AlphaDropout, Aspect, Average,
    AveragePooling1D, AveragePooling2D, BatchNormalization, CenterCrop, Concatenate, Constraint, Conv1D,
    Conv1DTranspose, Conv2D, Conv2DTranspose, Conv3D, Cropping1D, Cropping2D, Dense, DepthwiseConv1D,
    DepthwiseConv2D, Dot, Dropout, ELU, Fit, Flatten, FlipMode, GaussianDropout, GaussianNoise,
    GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalMaxPooling1D, GlobalMaxPooling2D,
    GroupNormalization, Interpolation, Lambda, Layer, LayerNormalization, LeakyReLU, Loss, Masking,
    MaxPooling1D, MaxPooling2D, Maximum, Minimum, Model, Multiply, Normalization, Optimizer, PReLU, Permute,
    RMSNormalization, RandomBrightness, RandomContrast, RandomCrop, RandomFlip, RandomRotation,
    RandomTranslation, RandomZoom, ReLU, Regularizer, RepeatVector, Rescaling, Reshape, Resizing, SGD,
    SeparableConv1D, SeparableConv2D, Sequential, Shared, Softmax, SpatialDropout1D, SpatialDropout2D,
    Subtract, Symbol, UnitNormalization, UpSampling1D, UpSampling2D, ZeroPadding1D, ZeroPadding2D,
};
use gradling::rng::Rng;
use gradling::{Padding, Result, Tensor};

/// Numbers in [0, 1).
fn numbers(dims: &[usize], seed: u64) -> Result<Tensor> {
    let mut rng = Rng::new(seed);
    Tensor::new(dims, (0..dims.iter().product()).map(|_| rng.uniform()).collect::<Vec<f32>>())
}

const VECTOR: &[usize] = &[6];
const SERIES: &[usize] = &[8, 4];
const IMAGE: &[usize] = &[6, 8, 4];
const VOLUME: &[usize] = &[3, 4, 4, 2];

/// Every layer of one input with a sample shape that it takes.
fn single() -> Vec<(&'static [usize], Box<dyn Layer>)> {
    vec![
        (VECTOR, Box::new(Dense::new(3).activation(Activation::Tanh))),
        (IMAGE, Box::new(Flatten::new().channels_first(true))),
        (IMAGE, Box::new(Conv2D::new(4, [3, 2]).groups(2).dilation_rate([2, 1]))),
        (IMAGE, Box::new(MaxPooling2D::new([2, 2]))),
        (VECTOR, Box::new(Dropout::new(0.5).noise_shape(&[None, Some(1)]))),
        (VECTOR, Box::new(ActivationLayer::new(Activation::Relu))),
        (SERIES, Box::new(Conv1D::new(3, 2).causal(true).dilation_rate(2))),
        (SERIES, Box::new(Conv1D::new(4, 3).strides(2).padding(Padding::Same).groups(2))),
        (VOLUME, Box::new(Conv3D::new(3, [2, 3, 1]).strides([2, 1, 2]).padding(Padding::Same))),
        (SERIES, Box::new(DepthwiseConv1D::new(3).depth_multiplier(2).strides(2))),
        (IMAGE, Box::new(DepthwiseConv2D::new([3, 3]).depth_multiplier(2).padding(Padding::Same))),
        (SERIES, Box::new(SeparableConv1D::new(3, 2).depth_multiplier(2))),
        (IMAGE, Box::new(SeparableConv2D::new(3, [2, 3]).strides([2, 2]).padding(Padding::Same))),
        (SERIES, Box::new(Conv1DTranspose::new(2, 3).strides(2).output_padding(1))),
        (IMAGE, Box::new(Conv2DTranspose::new(2, [3, 4]).strides([2, 3]).padding(Padding::Same))),
        (IMAGE, Box::new(Reshape::new(&[-1, 4]))),
        (IMAGE, Box::new(Permute::new(&[3, 1, 2]))),
        (VECTOR, Box::new(RepeatVector::new(3))),
        (SERIES, Box::new(SpatialDropout1D::new(0.5))),
        (IMAGE, Box::new(SpatialDropout2D::new(0.5))),
        (VECTOR, Box::new(GaussianNoise::new(0.5))),
        (VECTOR, Box::new(GaussianDropout::new(0.5))),
        (VECTOR, Box::new(AlphaDropout::new(0.5).noise_shape(&[None, None]))),
        (VECTOR, Box::new(ActivityRegularization::new(0.1, 0.2))),
        (SERIES, Box::new(UnitNormalization::new().axis(&[1, 2]))),
        (SERIES, Box::new(ZeroPadding1D::new([[1, 2]]))),
        (IMAGE, Box::new(ZeroPadding2D::new([[1, 2], [0, 3]]))),
        (SERIES, Box::new(Cropping1D::new([[1, 2]]))),
        (IMAGE, Box::new(Cropping2D::new([[1, 2], [0, 3]]))),
        (SERIES, Box::new(UpSampling1D::new(2))),
        (IMAGE, Box::new(UpSampling2D::new([2, 3]))),
        (IMAGE, Box::new(UpSampling2D::new([2, 3]).interpolation(Interpolation::Bicubic))),
        (VECTOR, Box::new(Rescaling::new(0.5).offset(-1.0))),
        (SERIES, Box::new(Rescaling::of_channels(&[1.0, 2.0, 3.0, 4.0], &[0.5]))),
        (VECTOR, Box::new(LeakyReLU::new(0.3))),
        (IMAGE, Box::new(PReLU::new().shared_axes(&[1, 2]))),
        (VECTOR, Box::new(ELU::new(0.5))),
        (VECTOR, Box::new(ReLU::new().max_value(Some(1.0)).negative_slope(0.1).threshold(0.2))),
        (SERIES, Box::new(Softmax::new().axis(&[1, 2]))),
        (SERIES, Box::new(MaxPooling1D::new(3).strides(2).padding(Padding::Same))),
        (SERIES, Box::new(AveragePooling1D::new(2))),
        (IMAGE, Box::new(AveragePooling2D::new([3, 3]).padding(Padding::Same))),
        (SERIES, Box::new(GlobalMaxPooling1D::new())),
        (IMAGE, Box::new(GlobalMaxPooling2D::new().keepdims(true))),
        (SERIES, Box::new(GlobalAveragePooling1D::new().keepdims(true))),
        (IMAGE, Box::new(GlobalAveragePooling2D::new())),
        (IMAGE, Box::new(BatchNormalization::new().momentum(0.5).axis(1))),
        (SERIES, Box::new(LayerNormalization::new().axis(&[1, 2]))),
        (SERIES, Box::new(LayerNormalization::new().rms_scaling(true))),
        (IMAGE, Box::new(GroupNormalization::new(2))),
        (IMAGE, Box::new(GroupNormalization::new(-1).axis(2))),
        (SERIES, Box::new(RMSNormalization::new())),
        (SERIES, Box::new(Masking::new(0.0))),
        (VECTOR, Box::new(Normalization::new())),
        (SERIES, Box::new(Normalization::new().axis(&[1, 2]).statistics(&[0.5; 32], &[2.0; 32]))),
        (IMAGE, Box::new(RandomFlip::new(FlipMode::HorizontalAndVertical))),
        (IMAGE, Box::new(RandomRotation::new(0.1))),
        (IMAGE, Box::new(RandomTranslation::new(0.2, [0.1, 0.3]))),
        (IMAGE, Box::new(RandomZoom::new(0.2).width_factor([-0.5, 0.0]))),
        (IMAGE, Box::new(RandomContrast::new(0.3, 0.2).value_range([0.0, 1.0]))),
        (IMAGE, Box::new(RandomBrightness::new(0.3).value_range([0.0, 1.0]))),
        (IMAGE, Box::new(RandomCrop::new(3, 4))),
        (IMAGE, Box::new(CenterCrop::new(3, 4))),
        (IMAGE, Box::new(CenterCrop::new(8, 4))),
        (IMAGE, Box::new(Resizing::new(5, 3).interpolation(Interpolation::Lanczos3).antialias(true))),
        (IMAGE, Box::new(Resizing::new(9, 3).aspect(Aspect::Pad).fill_value(2.0))),
    ]
}

/// The sample shapes of two inputs.
type Pair = [&'static [usize]; 2];

/// Every layer of several inputs, with the sample shapes of two of them.
fn several() -> Vec<(Pair, Box<dyn Layer>)> {
    vec![
        ([SERIES, &[4]], Box::new(Add::new())),
        ([VECTOR, VECTOR], Box::new(Subtract::new())),
        ([SERIES, &[8, 1]], Box::new(Multiply::new())),
        ([VECTOR, VECTOR], Box::new(Average::new())),
        ([VECTOR, VECTOR], Box::new(Maximum::new())),
        ([VECTOR, VECTOR], Box::new(Minimum::new())),
        ([SERIES, &[2, 4]], Box::new(Concatenate::new(1))),
        ([SERIES, &[3, 8]], Box::new(Dot::over([1, 2]))),
        ([VECTOR, VECTOR], Box::new(Dot::new(-1).normalize(true))),
    ]
}

/// Trains a model with the layer behind dense weights, so that the gradient passes it, and compares what it predicts
/// with what it predicts read back from its file.
fn check(inputs: &[&[usize]], layer: Box<dyn Layer>) -> Result<()> {
    let class = layer.class_name();
    let symbols: Vec<Symbol> = inputs.iter().map(|sample| Symbol::input(sample)).collect();
    let dense: Vec<Symbol> =
        symbols.iter().zip(inputs).map(|(x, s)| x.then(Dense::new(s[s.len() - 1]))).collect();
    let y = Shared::boxed(layer).join(&dense.iter().collect::<Vec<&Symbol>>());
    let mut model = Model::functional_seeded(&symbols.iter().collect::<Vec<&Symbol>>(), &[&y], 7)?;
    let sgd = Optimizer::SGD(SGD { learning_rate: 0.1, ..SGD::default() });
    model.compile(sgd, Loss::MeanSquaredError, &[])?;
    let batch = |sample: &[usize], seed| numbers(&[&[3], sample].concat(), seed);
    let xs: Vec<Tensor> =
        inputs.iter().enumerate().map(|(i, s)| batch(s, i as u64)).collect::<Result<_>>()?;
    let output = model.output_shape().map(|s| s.to_vec()).unwrap_or_default();
    let y = batch(&output, 9)?;
    for _ in 0..2 {
        let logs = match xs.as_slice() {
            [x] => model.train_on_batch(x, &y)?,
            [a, b] => model.train_on_batch([a, b], &y)?,
            _ => unreachable!(),
        };
        assert!(logs.get("loss").is_some_and(f32::is_finite), "{class}: loss {:?}", logs.get("loss"));
    }
    let predict = |model: &mut Model| match xs.as_slice() {
        [x] => model.predict(x, 3),
        [a, b] => model.predict([a, b], 3),
        _ => unreachable!(),
    };
    let before = predict(&mut model)?;
    assert_eq!(before.shape().to_vec(), [&[3], output.as_slice()].concat(), "{class}");
    let mut copy = Model::from_bytes(&model.to_bytes()?)?;
    assert_eq!(predict(&mut copy)?.to_f32_vec(), before.to_f32_vec(), "{class} read back");
    Ok(())
}

#[test]
fn every_layer_trains_and_is_saved() {
    for (sample, layer) in single() {
        let class = layer.class_name();
        check(&[sample], layer).unwrap_or_else(|e| panic!("{class}: {e}"));
    }
    for (samples, layer) in several() {
        let class = layer.class_name();
        check(&samples, layer).unwrap_or_else(|e| panic!("{class}: {e}"));
    }
}

/// What a layer makes of a batch at inference.
fn apply(layer: impl Layer + 'static, x: &Tensor) -> Result<Tensor> {
    let mut model = Sequential::new().add(layer);
    model.build(&x.shape().to_vec()[1..])?;
    model.predict(x, x.shape().dim(0))
}

#[test]
fn wrong_inputs_name_the_layer_and_the_fix() {
    let says = |layer: Box<dyn Layer>, sample: &[usize], words: &[&str]| {
        let mut model = Sequential::new();
        model.push(layer);
        let error = model.build(sample).err().map(|e| e.to_string()).unwrap_or_default();
        for word in words {
            assert!(error.contains(word), "{word} is not in: {error}");
        }
    };
    says(Box::new(Conv1D::new(3, 2)), &[5], &["conv1d", "[batch, steps, channels]", "[batch, 5]", "reshape"]);
    says(Box::new(Conv1D::new(3, 9)), &[5, 2], &["conv1d", "9 taps", "5 cells"]);
    says(
        Box::new(Conv2DTranspose::new(1, [2, 2]).strides([2, 2]).output_padding([2, 0])),
        &[3, 3, 1],
        &["conv2d_transpose", "below the stride 2"],
    );
    says(Box::new(Reshape::new(&[4, -1])), &[6], &["reshape", "[batch, 6]", "[4, -1]"]);
    says(Box::new(Permute::new(&[1, 1])), &[2, 3], &["permute", "permutation of 1 to 2"]);
    says(Box::new(Cropping1D::new([[2, 2]])), &[4, 1], &["cropping1d", "nothing"]);
    says(Box::new(BatchNormalization::new().axis(0)), &[4], &["batch_normalization", "axis from 1 to 1"]);
    says(Box::new(GroupNormalization::new(3)), &[4], &["group_normalization", "4 features", "3"]);
    says(Box::new(Dropout::new(1.5)), &[4], &["dropout", "[0, 1]", "1.5"]);
    says(Box::new(PReLU::new().shared_axes(&[2])), &[4], &["p_re_lu", "from 1 to 1"]);
    says(Box::new(Lambda::new(|x| x.sum(&[0], false))), &[4], &["lambda", "batch axis"]);
}

#[test]
fn lambda_finds_its_shape_and_is_not_saved() -> Result<()> {
    let mut model = Sequential::new().add(Lambda::new(|x| x.square().sum(&[-1], true))).add(Dense::new(2));
    model.build(&[3])?;
    assert_eq!(model.output_shapes()[0].to_vec(), [1]);
    let y = apply(Lambda::new(|x| x * 2.0), &Tensor::new(&[1, 2], [1.0, 2.0])?)?;
    assert_eq!(y.to_f32_vec(), [2.0, 4.0]);
    let error = model.to_bytes().err().map(|e| e.to_string()).unwrap_or_default();
    assert!(error.contains("lambda"), "{error}");
    Ok(())
}

#[test]
fn masks_reach_the_layers_behind() -> Result<()> {
    let x = Tensor::new(&[2, 3, 1], [1.0, 3.0, 0.0, 0.0, 5.0, 0.0])?;
    let mut model = Sequential::new()
        .add(Masking::new(0.0))
        .add(Rescaling::new(2.0).offset(1.0))
        .add(GlobalAveragePooling1D::new());
    model.build(&[3, 1])?;
    assert_eq!(model.predict(&x, 2)?.to_f32_vec(), [5.0, 11.0]);
    Ok(())
}

#[test]
fn batch_normalization_moves_its_statistics_unless_frozen() -> Result<()> {
    let x = Tensor::new(&[4, 1], [1.0, 3.0, 5.0, 7.0])?;
    for trainable in [true, false] {
        let mut model =
            Sequential::new().add(BatchNormalization::new().momentum(0.75).named("bn").trainable(trainable));
        let still = Optimizer::SGD(SGD { learning_rate: 0.0, ..SGD::default() });
        model.compile(still, Loss::MeanSquaredError, &[])?;
        model.fit(&x, &x, &mut Fit { epochs: 2, batch_size: 4, ..Fit::default() })?;
        let moved = [model.weight("bn/moving_mean")?.item()?, model.weight("bn/moving_variance")?.item()?];
        // Mean 4 and biased variance 5, twice by a quarter of the way.
        let wanted = if trainable { [1.75, 0.75 * (0.75 + 1.25) + 1.25] } else { [0.0, 1.0] };
        assert!(moved.iter().zip(wanted).all(|(m, w)| (m - w).abs() < 1e-5), "{moved:?}, {wanted:?}");
    }
    Ok(())
}

#[test]
fn normalization_adapts_to_data() -> Result<()> {
    let data = Tensor::new(&[3, 2], [1.0, 10.0, 2.0, 20.0, 6.0, 60.0])?;
    let layer = Normalization::new().adapt(&data)?;
    let y = apply(layer.clone(), &data)?.to_f32_vec();
    let [first, second] = [0, 1].map(|c| y.iter().skip(c).step_by(2).copied().collect::<Vec<f32>>());
    assert!(first.iter().zip(&second).all(|(a, b)| (a - b).abs() < 1e-5), "{first:?} {second:?}");
    assert!(first.iter().sum::<f32>().abs() < 1e-5);
    assert!((first.iter().map(|v| v * v).sum::<f32>() - 3.0).abs() < 1e-4, "{first:?}");
    let back = apply(layer.invert(true), &Tensor::new(&[3, 2], y)?)?.to_f32_vec();
    assert!(back.iter().zip(data.to_f32_vec()).all(|(a, b)| (a - b).abs() < 1e-4), "{back:?}");
    let all = Normalization::new().axis(&[]).adapt(&data)?;
    let mean: f32 = apply(all, &data)?.to_f32_vec().iter().sum();
    assert!(mean.abs() < 1e-5, "{mean}");
    Ok(())
}

#[test]
fn images_are_resized_by_half_pixel_centres() -> Result<()> {
    let x = Tensor::new(&[1, 1, 2, 1], [0.0, 1.0])?;
    let row = |how: Interpolation, width: usize| -> Result<Vec<f32>> {
        Ok(apply(Resizing::new(1, width).interpolation(how), &x)?.to_f32_vec())
    };
    assert_eq!(row(Interpolation::Nearest, 4)?, [0.0, 0.0, 1.0, 1.0]);
    assert_eq!(row(Interpolation::Bilinear, 4)?, [0.0, 0.25, 0.75, 1.0]);
    let ramp = Tensor::new(&[1, 1, 4, 1], [0.0, 1.0, 2.0, 3.0])?;
    assert_eq!(apply(Resizing::new(1, 2), &ramp)?.to_f32_vec(), [0.5, 2.5]);
    assert_eq!(apply(CenterCrop::new(1, 2), &ramp)?.to_f32_vec(), [1.0, 2.0]);
    // One row of four as a square: the middle cell, or the row between others.
    let square = |aspect| apply(Resizing::new(1, 1).aspect(aspect), &ramp);
    assert_eq!(square(Aspect::Crop)?.to_f32_vec(), [1.0]);
    assert_eq!(square(Aspect::Stretch)?.to_f32_vec(), [1.5]);
    Ok(())
}

#[test]
fn penalties_join_the_loss_of_trainable_layers() -> Result<()> {
    let x = Tensor::new(&[2, 1], [1.0, 2.0])?;
    for (trainable, wanted) in [(true, 0.5 * 9.0 + 0.1 * 9.0 * 5.0 / 2.0), (false, 0.1 * 9.0 * 5.0 / 2.0)] {
        let layer = Dense::new(1).use_bias(false).kernel_regularizer(Regularizer::L2(0.5));
        let layer = layer.activity_regularizer(Regularizer::L2(0.1)).named("dense").trainable(trainable);
        let mut model = Sequential::new().add(layer);
        model.build(&[1])?;
        model.set_weight("dense/kernel", &Tensor::new(&[1, 1], [3.0])?)?;
        let still = Optimizer::SGD(SGD { learning_rate: 0.0, ..SGD::default() });
        model.compile(still, Loss::MeanSquaredError, &[])?;
        let y = Tensor::new(&[2, 1], [3.0, 6.0])?;
        for logs in [model.train_on_batch(&x, &y)?, model.evaluate(&x, &y, 2)?] {
            let loss = logs.get("loss").unwrap_or_default();
            assert!((loss - wanted).abs() < 1e-5, "{loss}, wanted {wanted}");
        }
    }
    Ok(())
}

#[test]
fn constraints_hold_after_each_step() -> Result<()> {
    let x = numbers(&[8, 4], 1)?;
    let y = numbers(&[8, 3], 2)?;
    let layer = Dense::new(3)
        .kernel_constraint(Constraint::MaxNorm { max_value: 0.3, axis: vec![0] })
        .bias_constraint(Constraint::NonNeg)
        .named("dense");
    let mut model = Sequential::new().add(layer);
    model.compile(
        Optimizer::SGD(SGD { learning_rate: 0.5, ..SGD::default() }),
        Loss::MeanSquaredError,
        &[],
    )?;
    for _ in 0..3 {
        model.train_on_batch(&x, &y)?;
        let kernel = model.weight("dense/kernel")?.to_f32_vec();
        for column in 0..3 {
            let length = kernel.iter().skip(column).step_by(3).map(|w| w * w).sum::<f32>().sqrt();
            assert!(length < 0.3001, "{length}");
        }
        assert!(model.weight("dense/bias")?.to_f32_vec().iter().all(|b| *b >= 0.0));
    }
    let copy = Model::from_bytes(&model.to_bytes()?)?;
    assert!(format!("{:?}", copy.layers()[0].config()).contains("MaxNorm"));
    Ok(())
}
