//! Files that are not what they claim: an error of the content, no panic, in bounded memory and time.
//!
//! Each format gets at least 150 of them, made from good files by cutting, by wrong lengths and sizes, by words in wrong
//! places, and by changed bytes. Changed bytes may leave a good file; those that do are not counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ruvector_attention_cli::error::Reason;
use ruvector_attention_cli::format::{from_bytes, Choice, Dtype, Format, Tensor};

/// Counts what is allocated, and the most that was at a time.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);
/// One measurement at a time.
static ALONE: Mutex<()> = Mutex::new(());

// SAFETY: every call is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(NOW.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

fn load(bytes: Vec<u8>, format: Format, choice: &Choice<'_>) -> Result<usize, Reason> {
    from_bytes(bytes, format, choice).and_then(Tensor::load).map(|numbers| numbers.len())
}

/// Loads, holds the bounds, and says whether the file was refused.
fn refused(bytes: &[u8], format: Format, choice: &Choice<'_>) -> bool {
    let own = bytes.to_vec();
    let before = NOW.load(Relaxed);
    MOST.store(before, Relaxed);
    let start = Instant::now();
    let result = load(own, format, choice);
    let (time, most) = (start.elapsed(), MOST.load(Relaxed).saturating_sub(before) + bytes.len());
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
    assert!(most <= 2 * bytes.len() + (16 << 20), "{most} bytes for {} of {shown:?}", bytes.len());
    assert!(time < Duration::from_secs(1), "{time:?} for {shown:?}");
    match result {
        Err(Reason::Content(text)) => {
            assert!(!text.is_empty());
            true
        }
        Err(other) => panic!("{other:?} for {shown:?}"),
        Ok(_) => false,
    }
}

/// All of `wrong` are refused, and of the changed and cut versions of `good` enough to make 150.
fn hold(format: Format, good: &[Vec<u8>], wrong: &[Vec<u8>], choice: &Choice<'_>) {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for bytes in good {
        assert!(!refused(bytes, format, choice), "a good file is read");
    }
    for (index, bytes) in wrong.iter().enumerate() {
        assert!(refused(bytes, format, choice), "{format:?} {index}: {:?}", String::from_utf8_lossy(bytes));
    }
    let mut random = Random(7);
    let mut count = wrong.len();
    for round in 0..4000 {
        let mut bytes = good[round % good.len()].clone();
        if round % 4 == 0 {
            bytes.truncate(random.below(bytes.len()));
        } else {
            for _ in 0..1 + random.below(4) {
                let place = random.below(bytes.len());
                bytes[place] = random.next() as u8;
            }
        }
        count += usize::from(refused(&bytes, format, choice));
    }
    assert!(count >= 150, "{format:?}: {count} files were wrong");
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn raw() {
    let mut wrong = Vec::new();
    for (dtype, size) in [(Dtype::F16, 2), (Dtype::F32, 4), (Dtype::F64, 8)] {
        let choice = Choice { dtype: Some(dtype), ..Choice::default() };
        let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for length in (1..300).filter(|length| length % size != 0) {
            assert!(refused(&vec![1; length], Format::Raw, &choice));
            wrong.push(length);
        }
    }
    assert!(wrong.len() >= 150);
}

fn npy(version: u8, dict: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    match version {
        1 => bytes.extend((dict.len() as u16).to_le_bytes()),
        _ => bytes.extend((dict.len() as u32).to_le_bytes()),
    }
    [bytes.as_slice(), dict.as_bytes(), data].concat()
}

#[test]
fn npy_files() {
    let dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n";
    let data = [7; 24];
    let good = [npy(1, dict, &data), npy(2, dict, &data), npy(3, &dict.replace("False", "True "), &data)];
    let mut wrong: Vec<Vec<u8>> = (0..good[0].len()).map(|length| good[0][..length].to_vec()).collect();
    wrong.extend((1..9).map(|more| [good[0].clone(), vec![0; more]].concat()));
    wrong.extend([0, 4, 5, 255].map(|version| npy(version, dict, &data)));
    for (from, to) in [
        ("(2, 3)", "(2, 4)"),
        ("(2, 3)", "(-2, -3)"),
        ("(2, 3)", "(2.0, 3)"),
        ("(2, 3)", "('2', 3)"),
        ("(2, 3)", "(0, 3)"),
        ("(2, 3)", "6"),
        ("(2, 3)", "[2, 3]"),
        ("(2, 3)", "(18446744073709551615,)"),
        ("(2, 3)", "(99999999999999999999999999,)"),
        ("(2, 3)", "(4611686018427387904, 4)"),
        ("(2, 3)", "(4294967296, 4294967296, 4294967296)"),
        ("(2, 3)", "(2, (3,))"),
        ("(2, 3)", "((((((2, 3))))))"),
        ("(2, 3)", "None"),
        ("'<f4'", "'<i4'"),
        ("'<f4'", "'|O'"),
        ("'<f4'", "'<f3'"),
        ("'<f4'", "'<f16'"),
        ("'<f4'", "'<f8'"),
        ("'<f4'", "'f4'"),
        ("'<f4'", "'|f4'"),
        ("'<f4'", "''"),
        ("'<f4'", "'<'"),
        ("'<f4'", "'é'"),
        ("'<f4'", "4"),
        ("'<f4'", "[('a', '<f4')]"),
        ("'<f4'", "'<V2'"),
        ("'<f4'", "'<c8'"),
        ("False", "false"),
        ("False", "0"),
        ("False", "'False'"),
        ("'descr'", "'desc'"),
        ("'shape'", "'descr'"),
        ("'fortran_order'", "'shape'"),
        ("'descr'", "b'descr'"),
        ("{", "["),
        ("{", "{{"),
        ("}", ""),
        ("{", ""),
        (",", ";"),
        ("{", "__import__('os').system('x') or {"),
    ] {
        wrong.push(npy(1, &dict.replacen(from, to, 1), &data));
    }
    wrong.push(npy(2, &"(".repeat(16_000), &[]));
    wrong.push(npy(2, &"{'a':".repeat(3_000), &[]));
    wrong.push(npy(2, &format!("{{'shape': ({}) }}", "1,".repeat(6_000)), &[]));
    wrong.push(npy(2, &format!("'{}", "\\x".repeat(7_000)), &[]));
    wrong.push(npy(2, &" ".repeat(1 << 20), &[]));
    for length in [u32::MAX, 1 << 31, 1 << 20, 77] {
        let mut bytes = npy(2, dict, &data);
        bytes[8..12].copy_from_slice(&length.to_le_bytes());
        wrong.push(bytes);
    }
    hold(Format::Npy, &good, &wrong, &Choice::default());
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

#[test]
fn safetensors_files() {
    let header = r#"{"keys":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"__metadata__":{"a":"b"}}"#;
    let data = [7; 24];
    let good = [safetensors(header, &data), safetensors(&format!("{header}   "), &data)];
    let mut wrong: Vec<Vec<u8>> = (0..good[0].len()).map(|length| good[0][..length].to_vec()).collect();
    wrong.extend((1..9).map(|more| [good[0].clone(), vec![0; more]].concat()));
    for (from, to) in [
        ("[2,3]", "[2,4]"),
        ("[2,3]", "[-2,-3]"),
        ("[2,3]", "[2.5,3]"),
        ("[2,3]", "\"2\""),
        ("[2,3]", "[18446744073709551615,2]"),
        ("[2,3]", "[4611686018427387904,4]"),
        ("[2,3]", "[4294967296,4294967296,4294967296]"),
        ("[0,24]", "[0,23]"),
        ("[0,24]", "[0,25]"),
        ("[0,24]", "[4,28]"),
        ("[0,24]", "[24,0]"),
        ("[0,24]", "[0,18446744073709551615]"),
        ("[0,24]", "[0]"),
        ("[0,24]", "[0,24,48]"),
        ("F32", "F31"),
        ("F32", "I32"),
        ("F32", "BOOL"),
        ("F32", "F64"),
        ("\"dtype\"", "\"type\""),
        ("{\"keys\"", "[\"keys\""),
        ("}}", "}"),
        ("\"a\":\"b\"", "\"a\":1"),
        ("\"keys\"", "\"\\ud800\""),
        ("\"keys\":", ""),
    ] {
        wrong.push(safetensors(&header.replacen(from, to, 1), &data));
    }
    wrong.push(safetensors("{}", &[]));
    wrong.push(safetensors(&"[".repeat(100_000), &[]));
    wrong.push(safetensors(&"{\"a\":".repeat(100_000), &[]));
    let two = header.replace(
        "\"__metadata__\":{\"a\":\"b\"}",
        "\"b\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}",
    );
    wrong.push(safetensors(&two, &data));
    let entries: Vec<String> = (0..16_000)
        .map(|i| format!(r#""tensor{i}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#))
        .collect();
    wrong.push(safetensors(&format!("{{{}}}", entries.join(",")), &[]));
    for length in [u64::MAX, 1 << 63, 1 << 40, 100_000_000, 1 << 23] {
        wrong.push([&length.to_le_bytes(), header.as_bytes(), &data].concat());
    }
    hold(Format::Safetensors, &good, &wrong, &Choice { tensor: Some("keys"), ..Choice::default() });
}

#[test]
fn json_files() {
    let good = texts(&["[[1, 2.5e3], [-3.25, 4]]", "[1,2,3]", " [ [ [0.5] ] ] "]);
    let mut wrong: Vec<Vec<u8>> = (0..good[0].len()).map(|length| good[0][..length].to_vec()).collect();
    wrong.extend(texts(&[
        "",
        " ",
        "{}",
        "{\"a\": [1]}",
        "1",
        "\"1\"",
        "null",
        "true",
        "[1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1]]",
        "[[1]",
        "[1][2]",
        "[1] x",
        "[[1], 2]",
        "[1, [2]]",
        "[[1, 2], [3]]",
        "[[1], [2, 3]]",
        "[[], [1]]",
        "[[1], []]",
        "[null]",
        "[true]",
        "[\"1\"]",
        "[{}]",
        "[NaN]",
        "[Infinity]",
        "[-Infinity]",
        "[nan]",
        "[1e39]",
        "[-1e39]",
        "[1e999]",
        "[1e99999999999]",
        "[+1]",
        "[.5]",
        "[1.]",
        "[01]",
        "[0x10]",
        "[1_000]",
        "[1,,2]",
        "[--1]",
        "[1e]",
        "[1e+]",
        "[-]",
        "['1']",
        "[1;2]",
        "(1, 2)",
        "[1, 2",
        "[[1, 2], [3, 4]",
        "[[1, 2] [3, 4]]",
        "[/* c */ 1]",
        "[1] // c",
        "\u{feff}[1]",
        "[1\u{0}]",
        "[[[1]], [2]]",
        "[[[1]], [[2, 3]]]",
        "[[[[[[[[[1]]]]]]]]]",
    ]));
    wrong.push(vec![b'['; 1 << 20]);
    wrong.push(vec![b','; 1 << 20]);
    wrong.push([b"[".as_slice(), &vec![b','; 1 << 22]].concat());
    wrong.push([b"[1".as_slice(), &",1".repeat(1 << 20).into_bytes()].concat());
    wrong.push([b"[\"".as_slice(), &vec![b'a'; 1 << 22]].concat());
    wrong.push([b"[1".as_slice(), &vec![b'0'; 1 << 20], b"]"].concat());
    wrong.push([b"[1, ".as_slice(), &[0xff, 0xfe], b"]"].concat());
    hold(Format::Json, &good, &wrong, &Choice::default());
}

#[test]
fn csv_files() {
    let good = texts(&["1,2\n3,4\n", "# c\n\"1\", 2.5e3\r\n-3,4", "nan,inf\n"]);
    let mut wrong = texts(&[
        "a",
        "1,a\n",
        "a,1\n",
        "1,2\n3\n",
        "1\n2,3\n",
        "1,2,\n",
        ",1\n",
        "1,,2\n",
        "1;2\n",
        "1\t2\n",
        "1 2\n",
        "\"1\n",
        "\"a\"\n",
        "x,y\n1,2\n",
        "1e39\n",
        "-1e39\n",
        "1e999\n",
        "0x10\n",
        "1_0\n",
        "--1\n",
        "1e\n",
        "true\n",
        "null\n",
        "[1,2]\n",
        "{}\n",
        "1,2\n3,4,5\n",
        "1,2\n\"3,4\"\n",
        "''\n",
        "\"\"\n",
        "1,\"\"\n",
        "1,\u{0}\n",
        "é\n",
        "1,2\n3,x",
        "$1\n",
        "1%\n",
        "1.2.3\n",
        "1,2\n,\n",
        "12:30\n",
        "2026-01-01\n",
        "1/2\n",
        "(1)\n",
        "1+1\n",
        "∞\n",
        "１\n",
    ]);
    wrong.push(vec![b','; 1 << 20]);
    wrong.push(vec![b'1'; 1 << 20]);
    wrong.push([b"\"".as_slice(), &vec![b'1'; 1 << 20]].concat());
    wrong.push("1,".repeat(1 << 20).into_bytes());
    wrong.push([b"1\n".as_slice(), &"1,1\n".repeat(1 << 18).into_bytes()].concat());
    wrong.push(vec![0xff; 100]);
    wrong.push(vec![0; 100]);
    let column = |i: usize| format!("{}x{}\n", "1,".repeat(i), ",1".repeat(i)).into_bytes();
    wrong.extend((0..60).map(column));
    let row = |i: usize| format!("{}1\n", "1,2\n".repeat(i + 1)).into_bytes();
    wrong.extend((0..60).map(row));
    hold(Format::Csv, &good, &wrong, &Choice::default());
}
