use super::*;

fn content<T: std::fmt::Debug>(result: Parsed<T>) -> String {
    match result {
        Err(Reason::Content(text)) => text,
        other => panic!("expected a fault of the content, found {other:?}"),
    }
}

fn text(format: Format, text: &str) -> Parsed<(Vec<usize>, Vec<f32>)> {
    let tensor = from_bytes(text.as_bytes().to_vec(), format, &Choice::default())?;
    Ok((tensor.shape().to_vec(), tensor.load()?))
}

#[test]
fn the_extension_decides() {
    assert_eq!(Format::of("a.F32"), Some(Format::Raw));
    assert_eq!(Format::of("a.b.bin"), Some(Format::Raw));
    assert_eq!(Format::of("dir.json/a.npy"), Some(Format::Npy));
    assert_eq!(Format::of("a.safetensors"), Some(Format::Safetensors));
    assert_eq!(Format::of("dir.json/f32"), None);
}

#[test]
fn raw_numbers_are_little_endian_and_whole() {
    let raw = |bytes: &[u8], dtype| {
        let choice = Choice { dtype, ..Choice::default() };
        from_bytes(bytes.to_vec(), Format::Raw, &choice).and_then(Tensor::load)
    };
    assert_eq!(raw(&[0, 0, 128, 63, 0, 0, 0, 192], None).unwrap(), [1.0, -2.0]);
    assert_eq!(raw(&[0, 0x3c], Some(Dtype::F16)).unwrap(), [1.0]);
    assert_eq!(raw(&[0x80, 0x3f], Some(Dtype::Bf16)).unwrap(), [1.0]);
    assert_eq!(raw(&1.5f64.to_le_bytes(), Some(Dtype::F64)).unwrap(), [1.5]);
    assert!(raw(&[], None).unwrap().is_empty());
    assert!(content(raw(&[0; 7], None)).contains("7 bytes is not a whole number of 4-byte f32"));
}

#[test]
fn json_is_arrays_of_one_shape() {
    let json = |given| text(Format::Json, given);
    assert_eq!(json("[1, 2.5]").unwrap(), (vec![2], vec![1.0, 2.5]));
    assert_eq!(json(" [[1, 2],\n [3, 4]]").unwrap(), (vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]));
    assert_eq!(json("[[[1]], [[2]]]").unwrap(), (vec![2, 1, 1], vec![1.0, 2.0]));
    assert_eq!(json("[]").unwrap(), (vec![0], vec![]));
    assert!(content(json("[[1, 2], [3]]")).contains("a row of 1, where the first has 2"));
    assert!(content(json("[[1, 2], 3]")).contains("expected an array"));
    assert!(content(json("[[1, \"x\"]]")).contains("column"));
    assert!(content(json("[1, 1e39]")).contains("out of range"));
    assert!(content(json("{}")).contains("array"));
    assert!(content(json("[1")).contains("EOF"));
    assert!(content(json("[1] 2")).contains("trailing"));
    assert!(content(json("[[[[[[[[[1]]]]]]]]]")).contains("9 dimensions"));
}

#[test]
fn csv_is_rows_of_one_length() {
    let csv = |given| text(Format::Csv, given);
    assert_eq!(csv("1,2\n3, 4\r\n").unwrap(), (vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]));
    assert_eq!(csv("# a comment\n\"1\",2.5e1").unwrap(), (vec![1, 2], vec![1.0, 25.0]));
    assert_eq!(csv("").unwrap(), (vec![0, 0], vec![]));
    assert!(csv("nan,-inf").unwrap().1[1].is_infinite());
    assert!(content(csv("1,2\n3\n")).contains("row 2 has 1 numbers, the first row 2"));
    assert!(content(csv("1,x\n")).contains("row 1, column 2: 'x' is not a number"));
    assert!(content(csv("1,1e39\n")).contains("beyond the range"));
    assert!(content(csv(&"1".repeat(600))).contains("longer than a number"));
}

/// A .npy file as NumPy would write it.
fn npy(version: u8, dict: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    match version {
        1 => bytes.extend((dict.len() as u16).to_le_bytes()),
        _ => bytes.extend((dict.len() as u32).to_le_bytes()),
    }
    [bytes.as_slice(), dict.as_bytes(), data].concat()
}

fn read_npy(bytes: Vec<u8>) -> Parsed<(Vec<usize>, Vec<f32>)> {
    let tensor = from_bytes(bytes, Format::Npy, &Choice::default())?;
    Ok((tensor.shape().to_vec(), tensor.load()?))
}

#[test]
fn npy_of_every_kind_version_and_order() {
    let floats: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
    let plain = (vec![2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    for version in 1..=3 {
        assert_eq!(read_npy(npy(version, dict, &floats)).unwrap(), plain);
    }
    let turned = (vec![2, 3], vec![0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    assert_eq!(read_npy(npy(1, &dict.replace("False", "True"), &floats)).unwrap(), turned);
    let big: Vec<u8> = (0..6).flat_map(|i| f64::from(i).to_be_bytes()).collect();
    assert_eq!(read_npy(npy(1, &dict.replace("<f4", ">f8"), &big)).unwrap(), plain);
    let turned_wide = npy(1, &dict.replace("<f4", ">f8").replace("False", "True"), &big);
    assert_eq!(read_npy(turned_wide).unwrap(), turned);
    let scalar = dict.replace("(2, 3)", "()");
    assert_eq!(read_npy(npy(1, &scalar, &floats[4..8])).unwrap(), (vec![], vec![1.0]));
}

#[test]
fn npy_headers_that_promise_too_much_are_refused() {
    let dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    let huge = dict.replace("(2, 3)", "(4611686018427387904, 16)");
    assert!(content(read_npy(npy(1, &huge, &[]))).contains("larger than memory"));
    assert!(content(read_npy(npy(1, dict, &[0; 23]))).contains("needs 24 bytes, found 23"));
    assert!(content(read_npy(npy(1, &dict.replace("<f4", "<i8"), &[]))).contains("'<i8'"));
    assert!(content(read_npy(npy(1, &"(".repeat(9000), &[]))).contains("nested"));
    assert!(content(read_npy(npy(9, dict, &[]))).contains("version 9"));
    assert!(content(read_npy(b"PK".to_vec())).contains("NUMPY"));
    let mut cut = npy(2, dict, &[]);
    cut[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(content(read_npy(cut)).contains("claims 4294967295 bytes"));
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

#[test]
fn safetensors_by_name_or_alone() {
    let one = r#"{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}"#;
    let data = [0, 0x3c, 0, 0x40, 0, 0, 0, 0];
    let open =
        |bytes, choice: &Choice<'_>| from_bytes(bytes, Format::Safetensors, choice).and_then(Tensor::load);
    let alone = safetensors(&format!("{one}}}"), &data[..4]);
    assert_eq!(open(alone, &Choice::default()).unwrap(), [1.0, 2.0]);
    let two = format!(r#"{one},"keys":{{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}}}"#);
    let two = || safetensors(&two, &data);
    assert!(content(open(two(), &Choice::default())).contains("--tensor: a, keys"));
    let named = Choice { tensor: Some("a"), ..Choice::default() };
    assert_eq!(open(two(), &named).unwrap(), [1.0, 2.0]);
    let usual = Choice { names: &["keys"], ..Choice::default() };
    assert_eq!(open(two(), &usual).unwrap(), [0.0]);
    let wrong = Choice { tensor: Some("b"), ..Choice::default() };
    assert!(content(open(two(), &wrong)).contains("no tensor 'b'"));
    let mut cut = two();
    cut.pop();
    assert!(content(open(cut, &named)).contains("describes 8 bytes of data, found 7"));
    assert!(content(open(vec![255; 9], &named)).contains("claims"));
}

#[test]
fn masks_are_booleans_or_bits() {
    let mask = |name: &str, bytes: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        read_mask(&path.to_string_lossy(), &Choice::default())
    };
    let expected = [true, false, true, false];
    assert_eq!(mask("m.json", b"[true, 0, 1, false]").unwrap(), expected);
    assert_eq!(mask("m.bin", &[1, 0, 1, 0]).unwrap(), expected);
    assert_eq!(mask("m.csv", b"1,0,1,0").unwrap(), expected);
    let dict = "{'descr': '|b1', 'fortran_order': False, 'shape': (4,), }";
    assert_eq!(mask("m.npy", &npy(1, dict, &[1, 0, 1, 0])).unwrap(), expected);
    assert!(mask("m.json", b"[true, 2]").unwrap_err().to_string().contains("element 1"));
    assert!(mask("m.json", b"[0.5]").is_err());
    assert!(mask("m.bin", &[2]).is_err());
}

#[test]
fn what_is_written_reads_back() {
    let data = [0.1, -3.4e38, 1e-45, 7.0, 0.0, -0.0, 16_777_217.0, 0.3, 1.0 / 3.0, 5.0, 6.0, 7.0];
    let folder = tempfile::tempdir().unwrap();
    for (name, shape) in [
        ("a.f32", vec![12]),
        ("a.npy", vec![12]),
        ("b.npy", vec![2, 3, 2]),
        ("a.safetensors", vec![3, 4]),
        ("a.json", vec![12]),
        ("b.json", vec![2, 2, 3]),
        ("a.csv", vec![4, 3]),
    ] {
        let path = folder.path().join(name).to_string_lossy().into_owned();
        let format = Format::of(name).unwrap();
        let mut writer = Writer::create(&path, format, Dtype::F32, &shape, "tensor").unwrap();
        data.chunks(5).for_each(|part| writer.push(part).unwrap());
        writer.finish().unwrap();
        let tensor = open(&path, "input", &Choice::default()).unwrap();
        assert_eq!(tensor.shape(), shape, "{name}");
        let bits = |data: &[f32]| data.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&tensor.load().unwrap()), bits(&data), "{name}");
    }
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 7, "nothing else is left behind");
}

#[test]
fn a_file_that_cannot_be_written_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("missing").join("out.f32");
    assert!(matches!(save(&target.to_string_lossy(), b"x"), Err(Error::Save { .. })));
    let path = folder.path().join("out.npy").to_string_lossy().into_owned();
    drop(Writer::create(&path, Format::Npy, Dtype::F32, &[2], "x").unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn lines_of_json_can_be_kept_short() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json").to_string_lossy().into_owned();
    let data: Vec<f32> = (0..60).map(|i| 1.0 / (i as f32 + 1.0)).collect();
    let mut writer = Writer::create(&path, Format::Json, Dtype::F32, &[2, 30], "x").unwrap().within(40);
    writer.push(&data).unwrap();
    writer.finish().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.lines().all(|line| line.len() <= 40) && text.lines().count() > 10, "{text}");
    assert_eq!(open(&path, "input", &Choice::default()).unwrap().load().unwrap(), data);
}
